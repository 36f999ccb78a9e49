#!/usr/bin/env bash
# encode-text as a user runs it. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
encode=$BIN/encode-text
cd "$WORK" || exit 1

encode_to() { # FILE OPTIONS...: with the tiny model
    local file=$1
    shift
    "$encode" --model "$TINY" --output "$file" "$@"
}
header() { tail -c +9 "$1" | head -c "$(od -An -t u8 -N 8 "$1" | tr -d ' ')"; }
shape() { header "$1" | grep -o "\"$2\":{[^}]*}" | grep -o '"shape":\[[0-9,]*\]'; }
has_shape() { [ "$(shape "$1" "$2")" = "\"shape\":[$3]" ]; }

# --- what it says of itself ---
check '--help' 0 '--prompt-file.*--output.*--model.*--device.*--memory.*--jobs.*--threads' '' -- "$encode" --help
check '--version' 0 '^encode-text [0-9.]+$' '' -- "$encode" --version

# --- one prompt ---
check 'a prompt' 0 '' '' -- encode_to drums.st --prompt 'slow drums and a piano'
that 'ids are one row per token' has_shape drums.st ids "$(shape drums.st hidden | grep -o '[0-9]*' | head -n 1)"
that 'format, tool and recipe' grep -Eq '"format":"leitmotif.condition/1".*"recipe":"\{\\"model\\":\\"[0-9a-f]{64}\\",\\"prompt\\":\\"slow drums and a piano\\",\\"tool\\":\\"encode-text\\",\\"version\\":1\}".*"tool":"encode-text"' <(header drums.st)
check 'again' 0 '' '' -- encode_to again.st --prompt 'slow drums and a piano' --threads 1
that 'the same prompt gives the same file' cmp drums.st again.st
check 'the unconditional request' 0 '' '' -- encode_to nothing.st --prompt ''
that 'has no tokens but a width' has_shape nothing.st hidden 0,64
check 'it needs no libtorch' 0 '' '' -- env LEITMOTIF_LIBTORCH=/nowhere "$encode" --model "$TINY" --prompt '' --output nothing.st
check 'spaces only are a prompt' 0 '' '' -- encode_to spaces.st --prompt '   '
that 'of the end mark alone' has_shape spaces.st ids 1

# --- a prompt from a file ---
printf 'slow drums and a piano\n' >unix.txt
printf 'slow drums and a piano\r\n' >windows.txt
printf 'slow drums\0and a piano' >nul.txt
printf 'slow drums \xff\xfe' >invalid.txt
printf '\n' >newline.txt
head -c 1100000 /dev/zero | tr '\0' 'a' >long.txt
for file in unix.txt windows.txt; do
    check "a prompt from $file" 0 '' '' -- encode_to file.st --prompt-file $file
    that "is the same without its line end: $file" cmp drums.st file.st
done
check 'a prompt from stdin' 0 '' '' -- bash -c '"$0" --model "$1" --prompt-file - --output file.st <unix.txt' "$encode" "$TINY"
that 'is the same' cmp drums.st file.st
check 'a file of one line end is the unconditional request' 0 '' '' -- encode_to file.st --prompt-file newline.txt
that 'and equals it' cmp nothing.st file.st
check 'a NUL in a prompt file' 2 '' "^encode-text: prompt file 'nul.txt' holds a NUL byte" -- encode_to x.st --prompt-file nul.txt
check 'a prompt file that is not UTF-8' 2 '' "^encode-text: prompt file 'invalid.txt' is not valid UTF-8" -- encode_to x.st --prompt-file invalid.txt
check 'a missing prompt file' 1 '' "^encode-text: .*'missing.txt'.*No such file" -- encode_to x.st --prompt-file missing.txt
check 'an endless prompt file' 1 '' "'long.txt'" -- encode_to x.st --prompt-file long.txt
that 'no output came of these' test ! -e x.st

# --- misuse ---
check 'a prompt that is not UTF-8' 2 '' 'UTF-8' -- encode_to x.st --prompt $'drums \xff'
check 'a prompt and a prompt file' 2 '' '--prompt and --prompt-file exclude each other' -- encode_to x.st --prompt a --prompt-file unix.txt
check 'neither' 2 '' '--prompt is missing' -- encode_to x.st
check 'no output' 2 '' '--output is missing' -- "$encode" --model "$TINY" --prompt a
check 'no model' 2 '' '--model is missing' -- "$encode" --prompt a --output x.st
check 'an unknown option' 2 '' "unknown option '--promt'.*did you mean '(--)?prompt'" -- encode_to x.st --promt a
check 'an unknown device' 2 '' "'gpu' is no device: say auto, cpu, cuda or cuda:N" -- encode_to x.st --prompt a --device gpu
check 'a memory that is no size' 2 '' 'memory' -- encode_to x.st --prompt a --memory lots
that 'in one line' test "$(wc -l <"$ERR")" -eq 1

# --- what can fail ---
check 'a missing model' 1 '' "^encode-text: .*'./nowhere'" -- "$encode" --model ./nowhere --prompt a --output x.st
that 'in one line' test "$(wc -l <"$ERR")" -eq 1
check 'a GPU that is not there' 1 '' "^encode-text: cannot use device 'cuda:99': " -- encode_to x.st --prompt a --device cuda:99
check 'too little memory for the weights' 1 '' '^encode-text: a prompt of 1 token needs [0-9.]+ KB; 200\.00 KB allowed; give --memory [0-9]+M or more$' -- encode_to x.st --prompt a --memory 200K
yes a | head -n 500000 | tr '\n' ' ' >book.txt
check 'a prompt that no machine has the memory for' 1 '' '^encode-text: a prompt of 500001 tokens needs [0-9.]+ TB; this machine has [0-9.]+ GB; shorten the prompt$' -- encode_to x.st --prompt-file book.txt --device cpu
check 'an output in a missing folder' 1 '' "missing/x.st" -- encode_to missing/x.st --prompt a
check 'a full disk' 1 '' "'/dev/full'" -- encode_to /dev/full --prompt a
check 'no libtorch' 1 '' "^encode-text: cannot find libtorch.so in '/nowhere', which LEITMOTIF_LIBTORCH names" -- env LEITMOTIF_LIBTORCH=/nowhere "$encode" --model "$TINY" --prompt a --output x.st
copy_model() { # FOLDER: without links, so that a part can be damaged
    mkdir "$1" && cp "$TINY"/{config.json,generation_config.json,model.safetensors,spiece.model} "$1"
}
copy_model truncated && truncate -s 100000 truncated/model.safetensors
check 'truncated weights' 1 '' "^encode-text: .*truncated/model.safetensors'" -- "$encode" --model ./truncated --prompt a --output x.st
copy_model untold && rm untold/spiece.model
check 'no tokenizer' 1 '' "^encode-text: .*untold/spiece.model'" -- "$encode" --model ./untold --prompt a --output x.st
copy_model garbled && head -c 5000 "$TINY/spiece.model" >garbled/spiece.model
check 'half a tokenizer' 1 '' "^encode-text: .*garbled/spiece.model'" -- "$encode" --model ./garbled --prompt a --output x.st
that 'in one line' test "$(wc -l <"$ERR")" -eq 1
that 'no output came of these' test ! -e x.st
that 'and no temporary is left' bash -c '! ls -A | grep -q part'

# --- many prompts ---
cat >jobs <<'JOBS'
{"prompt": "slow drums and a piano", "output": "job1.st"}
{"prompt": "", "output": "job2.st"}
{"prompt_file": "nul.txt", "output": "job3.st"}
JOBS
check 'an unknown key' 2 '' "'jobs' line 3: .*prompt_file.*did you mean 'prompt-file'" -- "$encode" --model "$TINY" --jobs jobs
that 'did nothing' test ! -e job1.st
sed -i 's/prompt_file/prompt-file/' jobs
check 'one job of three fails' 1 '"job":1,"output":"job1.st","status":"done".*"tokens":[0-9]+.*"job":2,.*"status":"done".*"tokens":0.*"job":3,.*"status":"failed","error":"prompt file .nul.txt. holds a NUL byte' "^encode-text: job 3: prompt file 'nul.txt'" -- "$encode" --model "$TINY" --jobs jobs
that 'a condition does not depend on its neighbours' cmp drums.st job1.st
that 'nor does the unconditional one' cmp nothing.st job2.st
echo '{"prompt": "a\u0000b", "output": "x.st"}' >nul.jobs
check 'a NUL in a job' 2 '' "'nul.jobs' line 1" -- "$encode" --model "$TINY" --jobs nul.jobs
echo '{"prompt": "a", "model": "small", "output": "x.st"}' >model.jobs
check 'a model in a job' 2 '' "model" -- "$encode" --model "$TINY" --jobs model.jobs
printf '%s\n' '{"prompt": "a", "output": "x.st"}' '{"prompt": "b", "output": "./x.st"}' >twice.jobs
check 'two jobs with one output' 2 '' 'two results would be written to' -- "$encode" --model "$TINY" --jobs twice.jobs
that 'did nothing either' test ! -e x.st
check '--progress json' 0 '' '"stage":"encode","done":0,"total":1.*"done":1,"total":1' -- encode_to x.st --prompt a --progress json

finish

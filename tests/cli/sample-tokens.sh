#!/usr/bin/env bash
# sample-tokens as a user runs it, on a tiny model. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
cd "$WORK" || exit 1
tokens() { "$BIN/sample-tokens" --model "$TINY" --device cpu --condition drums.condition "$@"; }
same() { cmp <(codes "$1") <(codes "$2"); }
differ() { ! cmp -s <(codes "$1") <(codes "$2"); }

# The codes of a tokens file, a number a line, and of its first frames.
codes() { # FILE
    local header
    header=$(od -An -N8 -t d8 "$1")
    od -An -v -w4 -t d4 -j $((8 + header)) "$1"
}
first_frames() { # FILE FRAMES
    local all=($(codes "$1")) count q
    count=$((${#all[@]} / 4))
    for q in 0 1 2 3; do printf '%s\n' "${all[@]:q*count:$2}"; done
}

encode() { "$BIN/encode-text" --model "$TINY" --prompt "$1" --output "$2"; }
that 'conditions to begin with' encode 'drums and bass' drums.condition
encode 'a slow piano melody' piano.condition
encode '' nothing.condition

# --- tokens ---
check 'ten seconds by default' 0 '' '' -- tokens --output ten.tokens
that 'are 500 frames of 4 codebooks' test "$(codes ten.tokens | wc -l)" -eq 2000
check 'three seconds' 0 '' '' -- tokens --output three.tokens --duration 3
check 'the same again' 0 '' '' -- tokens --output again.tokens --duration 3
that 'is the same file, byte for byte' cmp three.tokens again.tokens
check 'another seed' 0 '' '' -- tokens --output other.tokens --duration 3 --seed 9223372036854775807
that 'gives other tokens' differ three.tokens other.tokens
that 'verify knows the vocabulary' bash -c '"$1/verify" three.tokens | grep -q "\"check\":\"range\",[^}]*\"status\":\"ok\""' _ "$BIN"
check 'an audition' 0 '' '' -- tokens --output audition.tokens --duration 2
that 'is the beginning of the take' cmp <(first_frames ten.tokens 97) <(first_frames audition.tokens 97)
check 'one frame' 0 '' '' -- tokens --output frame.tokens --duration 0.02
that 'is four tokens' test "$(codes frame.tokens | wc -l)" -eq 4
check 'greedy' 0 '' '' -- tokens --output greedy.tokens --duration 1 --greedy --seed 5
check 'temperature 0' 0 '' '' -- tokens --output cold.tokens --duration 1 --temperature 0 --top-k 3
that 'is greedy' same greedy.tokens cold.tokens
check 'no filters' 0 '' '' -- tokens --output wide.tokens --duration 1 --top-k 0 --top-p 0
check 'top-p' 0 '' '' -- tokens --output narrow.tokens --duration 1 --top-k 0 --top-p 0.2
that 'changes tokens' differ wide.tokens narrow.tokens
check 'guidance 1' 0 '' '' -- tokens --output plain.tokens --duration 1 --guidance 1
check 'the unconditional request' 0 '' '' -- "$BIN/sample-tokens" --model "$TINY" --condition nothing.condition --output free.tokens --duration 1
that 'the recipe says how it was made' grep -aq '"seed\\":9223372036854775807' other.tokens
that 'decode-audio takes it' "$BIN/decode-audio" --model "$TINY" --tokens audition.tokens --output audition.wav

# --- storage of weights and cache ---
check 'exact: weights in f32' 0 '' '' -- tokens --output f32.tokens --duration 1 --cache f32 --weights f32 --greedy
check 'exact: weights in f16' 0 '' '' -- tokens --output f16.tokens --duration 1 --cache f32 --weights f16 --greedy
that 'lose nothing' same f32.tokens f16.tokens

# --- longer than a window, sections, continuation ---
"$BIN/encode-text" --model "$MODEL" --prompt 'a calm lullaby' --output lullaby.condition
check 'two windows' 0 '' '' -- "$BIN/sample-tokens" --model "$MODEL" --device cpu --condition lullaby.condition --output long.tokens --duration 10.1 --extend-stride 9.5
that 'are 505 frames' test "$(codes long.tokens | wc -l)" -eq 2020
check 'a section' 0 '' '' -- tokens --output section.tokens --duration 3 --section 1.5=piano.condition
that 'changes nothing before it' cmp <(first_frames section.tokens 72) <(first_frames three.tokens 72)
that 'and what follows' differ section.tokens three.tokens
check 'sections alone' 0 '' '' -- "$BIN/sample-tokens" --model "$TINY" --section 0=drums.condition --section 1.5=piano.condition --duration 3 --output alone.tokens
that 'give the same' same section.tokens alone.tokens
check 'continue' 0 '' '' -- tokens --output more.tokens --duration 1 --continue audition.tokens
that 'is old plus new' test "$(codes more.tokens | wc -l)" -eq 600
that 'old frames are kept' cmp <(first_frames more.tokens 100) <(first_frames audition.tokens 100)

# --- many jobs: alone, among others, side by side ---
cat >jobs.jsonl <<'END'
{"condition": "piano.condition", "output": "a.tokens", "duration": 1, "seed": 3}
{"condition": "missing.condition", "output": "b.tokens"}
{"condition": "drums.condition", "output": "c.tokens", "duration": 3}
{"section": ["0=piano.condition", "1=drums.condition"], "output": "d.tokens", "duration": 2, "greedy": true}
END
check 'jobs, one of them bad' 1 '"job":2,.*"status":"failed","error":"cannot open .missing.condition.*"job":1,.*"status":"done".*"job":4,.*"status":"done"' \
    'job 2: .*missing.condition' -- "$BIN/sample-tokens" --model "$TINY" --device cpu --jobs jobs.jsonl
that 'a track is the same among others' cmp c.tokens three.tokens
for batch in 1 2 3; do
    check "jobs side by side, batch $batch" 1 '("status":"done".*){3}' '.*' -- "$BIN/sample-tokens" --model "$TINY" --device cpu --jobs jobs.jsonl --batch $batch
    that 'the same as alone' cmp c.tokens three.tokens
done
check 'jobs side by side, engine torch' 1 '("status":"done".*){3}' '.*' -- "$BIN/sample-tokens" --model "$TINY" --device cpu --engine torch --jobs jobs.jsonl --batch 3
that 'as long as alone' test "$(codes c.tokens | wc -l)" -eq 600
cat >kinds.jsonl <<'END'
{"condition": "drums.condition", "output": "k1.tokens", "duration": 1, "seed": 1}
{"condition": "drums.condition", "output": "/dev/full", "duration": 1.2}
{"condition": "nothing.condition", "output": "k3.tokens", "duration": 2, "seed": 3, "top-p": 0.9}
{"condition": "piano.condition", "output": "k4.tokens", "duration": 0.5, "guidance": 1}
{"condition": "drums.condition", "output": "k5.tokens", "duration": 1, "continue": "audition.tokens"}
{"section": ["0=piano.condition", "0.5=nothing.condition", "1=drums.condition"], "output": "k6.tokens", "duration": 1.4}
END
while read -r job; do "$BIN/sample-tokens" --quiet --model "$TINY" --device cpu --jobs - <<<"$job" >/dev/null 2>&1; done <kinds.jsonl
kinds=$(cat k?.tokens | sha256sum)
for batch in 2 3 6; do
    rm k?.tokens
    check "all kinds, one fails on its way, batch $batch" 1 '("status":"done".*){5}' "^sample-tokens: job 2: cannot write '/dev/full': No space left on device$" -- \
        "$BIN/sample-tokens" --model "$TINY" --device cpu --jobs kinds.jsonl --batch $batch --threads $batch
    that 'each is as alone' test "$(cat k?.tokens | sha256sum)" = "$kinds"
done
cat >slow.jsonl <<'END'
{"condition": "drums.condition", "output": "slow.tokens", "duration": 3000}
{"condition": "drums.condition", "output": "quick.tokens", "duration": 0.1}
END
"$BIN/sample-tokens" --model "$TINY" --device cpu --jobs slow.jsonl --batch 2 >lines 2>/dev/null &
until [ -s lines ] || ! kill -0 $! 2>/dev/null; do sleep 0.01; done
kill $!
that 'a result is written when it is finished' test -s quick.tokens -a ! -e slow.tokens -a "$(wc -l <lines)" -eq 1
wait
cat >grows.jsonl <<'END'
{"condition": "drums.condition", "duration": 2, "output": "grown.tokens"}
{"condition": "drums.condition", "duration": 1, "output": "after.tokens", "continue": "grown.tokens"}
END
tokens --output grown.tokens --duration 0.2
check 'a file that an earlier job makes longer' 1 '"job":1,.*"status":"done".*"job":2,.*"status":"failed"' \
    "job 2: 'after.tokens': a file that it is made from grew after the run began; make it again" -- "$BIN/sample-tokens" --model "$TINY" --device cpu --jobs grows.jsonl --batch 1
check 'again' 0 '("status":"done".*){2}' '' -- "$BIN/sample-tokens" --model "$TINY" --device cpu --jobs grows.jsonl --batch 1

# --- engine cpu: its kernels, threads, int8 ---
available="$(LEITMOTIF_KERNELS=none "$BIN/sample-tokens" --model "$TINY" --device cpu --condition drums.condition --output x.tokens 2>&1)"
that 'kernels that do not exist are refused' grep -q "LEITMOTIF_KERNELS 'none': this machine has no such kernels" <<<"$available"
for kernels in plain avx2 avx2-vnni avx512 avx512-vnni; do
    for weights in f16 int8; do
        if LEITMOTIF_KERNELS=$kernels tokens --output $kernels.tokens --duration 0.3 --seed 5 --weights $weights --threads 3 2>refusal; then
            [ -e plain-$weights.tokens ] || cp $kernels.tokens plain-$weights.tokens
            that "$kernels gives the bytes of plain in $weights" cmp $kernels.tokens plain-$weights.tokens
        else
            skip "$kernels in $weights" "$(cat refusal)"
        fi
    done
done
that 'int8 is said in the recipe' grep -qE 'weights[\\":]*int8' plain-int8.tokens
echo '{"condition": "drums.condition", "output": "x.tokens", "model": "small"}' >bad.jsonl
check 'the model is no part of a job' 2 '' "bad.jsonl.*line 1.*model" -- "$BIN/sample-tokens" --model "$TINY" --jobs bad.jsonl
check 'progress as JSON' 0 '' '"stage":"sample","done":53,"total":53' -- tokens --output p.tokens --duration 1 --progress json

# --- memory ---
check 'a dry run prints the plan' 0 'engine    cpu on cpu, weights f16, cache f16, batch 1.*1500 frames in 1 window, 1503 steps of 2 rows.*key/value cache.*total' '' -- tokens --duration 30 --dry-run
check 'a dry run for engine torch' 0 'engine    torch on cpu, weights f32, cache f16, batch 1' '' -- tokens --duration 30 --engine torch --dry-run
echo '{"condition": "piano.condition", "output": "e.tokens"}' >one.jsonl
check 'a dry run of a job' 0 '"windows":1,"steps":503,"memory":\{.*"total":[0-9]+' '' -- "$BIN/sample-tokens" --model "$TINY" --device cpu --jobs one.jsonl --dry-run
that 'makes nothing' test ! -e e.tokens
check 'within the limit' 0 '' '' -- tokens --output small.tokens --duration 1 --memory 100M
below() { # FLAGS...: a limit that a dry run with these flags says is just too little
    echo $(($(tokens "$@" --dry-run | awk '$1 == "total" {print $2}') - 1))
}
check 'too much: what would help' 1 '' "^sample-tokens: 'tiny-text' in f32 needs [0-9.]+ MB for one track of 30 s; [0-9.]+ MB allowed; try --weights f16$" -- tokens --output x.tokens --duration 30 --weights f32 --memory "$(below --duration 30 --weights f32)"
check 'too much: a smaller cache' 1 '' "in f16 needs .*; try --cache f16$" -- tokens --output x.tokens --duration 30 --cache f32 --memory "$(below --duration 30 --cache f32)"
check 'too much: int8' 1 '' "try --weights int8$" -- tokens --output x.tokens --duration 30 --memory "$(below --duration 30)"
check 'too much: shorter' 1 '' "try --duration [0-9]+$" -- tokens --output x.tokens --duration 30 --memory "$(below --duration 30 --weights int8)"
check 'too much: fewer at once' 1 '' "for 8 tracks of 1 s; .*; try --batch 1$" -- tokens --output x.tokens --duration 1 --batch 8 --memory "$(below --duration 1 --batch 8)"
check 'too much for engine torch: shorter' 1 '' "; 6.00 MB allowed; try --duration [0-9]+ --weights f16$" -- tokens --engine torch --output x.tokens --duration 30 --memory 6M
check 'far too much' 1 '' '; 1\.00 MB allowed; no setting makes it fit: use a smaller model, or give --memory [0-9]+M or more$' -- tokens --output x.tokens --memory 1M
that 'no more threads are planned for than are started' test "$(below --duration 1 --threads 256)" -eq "$(below --duration 1 --threads 1000)"
check 'without guidance one row is computed' 0 'steps of 1 row[^s]' '' -- tokens --guidance 1 --dry-run
check 'and without a condition' 0 'steps of 1 row[^s]' '' -- "$BIN/sample-tokens" --model "$TINY" --condition nothing.condition --dry-run
tokens --output beginning.tokens --duration 25
limit=$(below --duration 4 --continue beginning.tokens --weights int8)
check 'too much after a long beginning: shorter' 1 '' "try --duration [123]$" -- tokens --output x.tokens --duration 4 --continue beginning.tokens --weights int8 --memory "$limit"
that 'which fits' tokens --output fits.tokens --duration "$(sed 's/.* //' "$ERR")" --continue beginning.tokens --weights int8 --memory "$limit"

# --- memory for many jobs ---
sample() { "$BIN/sample-tokens" --model "$TINY" --device cpu "$@"; }
totals() { # JOBS FLAGS...: planned bytes, a line a job
    sample --jobs "$@" --dry-run | grep -o '"total":[0-9]*' | cut -d: -f2
}
echo '{"condition": "drums.condition", "output": "guided.tokens", "duration": 10}' >guided.jsonl
echo '{"condition": "nothing.condition", "output": "unguided.tokens", "duration": 30}' >unguided.jsonl
cat guided.jsonl unguided.jsonl >both.jsonl
alone=$(totals guided.jsonl; totals unguided.jsonl)
limit=$(sort -n <<<"$alone" | tail -1)
that 'a dry run plans for all jobs together' test "$(totals both.jsonl --batch 1 | sort -u | wc -l)" -eq 1 -a "$(totals both.jsonl --batch 1 | head -1)" -gt "$limit"
that 'and for each when they fit only without each other' test "$(totals both.jsonl --memory "$limit")" = "$alone"
check 'they are done one after another' 0 '"job":1,.*"status":"done".*"job":2,.*"status":"done"' '' -- sample --jobs both.jsonl --memory "$limit"
that 'to the same tokens' cmp guided.tokens ten.tokens
for i in 1 2 3 4; do echo '{"condition": "drums.condition", "output": "m'$i'.tokens", "duration": 1}'; done >many.jsonl
limit=$(totals many.jsonl --batch 3 | head -1)
check 'batch auto: as many as there are' 0 '"batch":4' '' -- sample --jobs many.jsonl --dry-run
check 'or as --memory allows' 0 '"batch":3' '' -- sample --jobs many.jsonl --dry-run --memory "$limit"
check 'to the byte' 0 '"batch":2' '' -- sample --jobs many.jsonl --dry-run --memory $((limit - 1))
limited() ( # KILOBYTES COMMAND...: of address space
    ulimit -v "$1" && shift && exec "$@"
)
if [ -n "${ASAN_OPTIONS:-}${TSAN_OPTIONS:-}" ]; then
    skip 'half a batch that the system refuses' 'a sanitizer needs more address space'
else
    needed=$(below --duration 30 --batch 64)
    check 'half a batch that the system refuses' 0 '' '; going on with 32 tracks at once instead of 64$' -- limited $((needed / 1024 * 13 / 16)) "$BIN/sample-tokens" --model "$TINY" --condition drums.condition \
        --device cpu --threads 1 --duration 30 --batch 64 --output half.tokens
    that 'gives the same tokens' cmp <(first_frames half.tokens 97) <(first_frames audition.tokens 97)
    check 'which it refuses, too' 1 '' "cannot allocate [0-9]+ MB: .*; close other programs" -- limited $((needed / 1024 * 7 / 16)) "$BIN/sample-tokens" --model "$TINY" \
        --condition drums.condition --device cpu --threads 1 --duration 30 --batch 64 --output x.tokens
fi

# --- refusals ---
refuse() { # NAME PATTERN FLAGS...
    local name=$1 pattern=$2
    shift 2
    check "$name" 2 '' "^sample-tokens: .*$pattern" -- tokens --output x.tokens "$@"
    that 'in one line' test "$(wc -l <"$ERR")" -eq 1
}
refuse 'duration 0' "'--duration' cannot be 0" --duration 0
refuse 'duration NaN' "'--duration' cannot be 'nan'" --duration nan
refuse 'less than a frame' "'--duration 0.01' is shorter than one frame" --duration 0.01
refuse 'a negative temperature' "'--temperature' cannot be -1" --temperature -1
refuse 'top-k above the vocabulary' "'--top-k 513': 'tiny-text' has 512" --top-k 513
refuse 'top-p above 1' "'--top-p' cannot be 1.1" --top-p 1.1
refuse 'a negative seed' "'--seed' cannot be -1" --seed -1
refuse 'a seed of 2^63' "'--seed' cannot be '9223372036854775808'" --seed 9223372036854775808
refuse 'negative guidance' "'--guidance' cannot be -2" --guidance -2
refuse 'a stride of a window' "'--extend-stride 30': must be shorter than one window" --extend-stride 30
refuse 'the CPU engine on a GPU' "'--engine cpu' cannot use device 'cuda': say --engine torch" --engine cpu --device cuda
refuse 'int8 in engine torch' "'--weights int8' is engine cpu's" --weights int8 --engine torch
refuse 'batch 0' "'--batch 0'" --batch 0
refuse 'a section past the end' 'starts at or after the end' --section 10=piano.condition
refuse 'sections out of order' 'give sections in order' --section 5=piano.condition --section 4=piano.condition
refuse 'two sections in a frame' 'in the same frame' --section 5=piano.condition --section 5.001=piano.condition
refuse 'a section without a file' 'expected START=FILE' --section 5
refuse 'a second beginning' 'both give the first condition' --section 0=piano.condition
refuse 'an unknown flag' "unknown option '--temprature' \(did you mean 'temperature'\?\)" --temprature 1
check 'no condition' 2 '' '--condition is missing' -- "$BIN/sample-tokens" --model "$TINY" --output x.tokens
check 'no output' 2 '' '--output is missing' -- tokens
check 'no model' 2 '' '--model is missing' -- "$BIN/sample-tokens" --condition drums.condition --output x.tokens
check 'a foreign condition' 1 '' "'greedy.tokens': format is 'leitmotif.tokens/1'" -- "$BIN/sample-tokens" --model "$TINY" --condition greedy.tokens --output x.tokens
check 'a condition of another model' 1 '' "is for another model: its width is" -- "$BIN/sample-tokens" --model "$MODEL" --condition drums.condition --output x.tokens
check 'a condition to continue' 1 '' "format is 'leitmotif.condition/1'" -- tokens --output x.tokens --continue drums.condition
head -c 300 ten.tokens >cut.tokens
check 'truncated tokens to continue' 1 '' "'cut.tokens'" -- tokens --output x.tokens --continue cut.tokens
check 'a full disk' 1 '' "cannot write '/dev/full': No space left on device" -- tokens --output /dev/full --duration 0.1
check 'no such folder' 1 '' "cannot write 'nowhere/x.tokens'" -- tokens --output nowhere/x.tokens
that 'no refusal left a file' test ! -e x.tokens
finish

# shellcheck shell=bash disable=SC2034 # its variables are for the scripts that source it
# Shared by the tests on a device, beside tests/cli/lib.sh, which it sources. SPDX-License-Identifier: Apache-2.0
#
# Settings:
#   TEST_DEVICE     as --device has it (default: cuda); with cpu the scripts can be tried out, by engine torch
#   TEST_SHAPE      of the model with random weights (default: small)
#   TEST_DURATION   seconds of a track (default: 10); memory and bench have their own
#   TEST_MODELS     where models are kept (default: a folder of the script's own, under $TMPDIR)
#   TEST_FACTS      a file that figures are added to, one JSON object a line (default: nowhere)
#
#   run PROGRAM ARGUMENTS...       the program on the device
#   sample ARGUMENTS...            sample-tokens on the device, by engine torch
#   model SHAPE [sparse]           the folder of a model, made if need be; sparse: its weights are 0 and take no room on the disk
#   numbers FILE ARRAY i4|i8|f4    an array of a safetensors file, one number a line
#   equal_frames A B               how many of the first frames of two tokens files are equal
#   difference A B                 of two columns of numbers: "largest rms rms-of-the-second"
#   holds EXPRESSION               is awk's expression true?
#   fact NAME VALUE                a figure for the results; VALUE is JSON
# shellcheck source=tests/cli/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../cli/lib.sh"
TEST_DEVICE=${TEST_DEVICE:-cuda}
TEST_SHAPE=${TEST_SHAPE:-small}
TEST_DURATION=${TEST_DURATION:-10}
TEST_MODELS=${TEST_MODELS:-$WORK/models}
TEST_FACTS=${TEST_FACTS:-/dev/null}
export TEST_DEVICE
cd "$WORK" || exit 1

run() {
    local name=$1
    shift
    "$BIN/$name" --device "$TEST_DEVICE" "$@"
}
sample() { run sample-tokens --engine torch "$@"; }

model() {
    local folder=$TEST_MODELS/$1${2:+-$2} sparse=()
    [ -z "${2-}" ] || sparse=(--sparse)
    if [ ! -e "$folder/config.json" ]; then
        mkdir -p "$TEST_MODELS"
        "$BIN/../bench/make-model" --shape "$1" ${sparse[@]+"${sparse[@]}"} --tokenizer "$MODEL/spiece.model" --output "$folder" --quiet >&2 || return
    fi
    echo "$folder"
}

numbers() {
    local length begin end
    length=$(od -An -N8 -t d8 "$1" | tr -d ' ') || return
    read -r begin end < <(head -c $((8 + length)) "$1" | tail -c "$length" | jq -r --arg array "$2" '.[$array].data_offsets | @tsv')
    tail -c +$((9 + length + begin)) "$1" | head -c $((end - begin)) | od -An -v -w"${3#?}" -t "$(tr if df <<<"$3")" | tr -d ' '
}

# Codebook by codebook, as codes [K, T] lie there.
equal_frames() {
    local codebooks=4
    paste <(numbers "$1" codes i4) <(numbers "$2" codes i4) | awk -v codebooks=$codebooks '
        $1 == "" || $2 == "" { print 0; short = 1; exit }
        { different[NR] = $1 != $2 }
        END {
            frames = NR / codebooks
            for (t = 1; t <= frames && !short; t++)
                for (q = 0; q < codebooks; q++)
                    if (different[q * frames + t]) { print t - 1; exit }
            if (!short) print frames
        }'
}
frames_of() { echo $(($(numbers "$1" codes i4 | wc -l) / 4)); }

# What is not finite, and what the other has not, makes the difference infinite.
difference() {
    paste "$1" "$2" | awk '
        $1 == "" || $2 == "" || $1 - $1 != 0 || $2 - $2 != 0 || tolower($1 $2) ~ /n/ { broken = 1; exit }
        { d = $1 - $2; if (d < 0) d = -d; if (d > worst) worst = d; sum += d * d; squares += $2 * $2 }
        END {
            if (broken || NR == 0) print "1e30 1e30 1e30"
            else printf "%.6g %.6g %.6g\n", worst, sqrt(sum / NR), sqrt(squares / NR)
        }'
}

holds() { awk "BEGIN { exit !($1) }"; }

fact() { jq -nc --arg test "$(basename "$0" .sh)" --arg name "$1" --argjson value "$2" '{$test, $name, $value}' >>"$TEST_FACTS"; }

#!/usr/bin/env bash
# The peak of a GPU's memory against the plan, and against 10 GiB; and that it does not grow with tracks or with their length.
# The models have no weights but zeros: memory depends on the shape alone. SPDX-License-Identifier: Apache-2.0
#
#   TEST_MEMORY            shapes and tracks at once (default: "medium:4 large:1")
#   TEST_MEMORY_DURATION   seconds of each (default: 30)
. "$(dirname "$0")/lib.sh"
read -ra cases <<<"${TEST_MEMORY:-medium:4 large:1}"
seconds_each=${TEST_MEMORY_DURATION:-30}
MIB=$((1 << 20)) LIMIT=$((10 << 30))
# Beside plan and process: what the driver takes when kernels are first called, and the allocator's rounding, for which
# tools/lib/nn/budget.c sets as much aside. GRAIN: the allocator takes memory by pieces. The fake GPU counts by the byte.
RESERVE=$((256 * MIB)) GRAIN=$((32 * MIB))
[ -z "${FAKE_GPU_REPORT-}" ] || RESERVE=0 GRAIN=0
export CUDA_DEVICE_ORDER=PCI_BUS_ID # as nvidia-smi counts GPUs
index=${TEST_DEVICE#cuda}
index=${index#:}

if [ -z "${FAKE_GPU_REPORT-}" ] && { [ "$TEST_DEVICE" = cpu ] || ! command -v nvidia-smi >/dev/null; }; then
    skip 'memory' "nvidia-smi, which would watch the GPU's memory, is not here"
    finish
    exit
fi

of_gpu() { nvidia-smi -i "${index:-0}" --query-gpu=memory.used --format=csv,noheader,nounits 2>/dev/null | head -n 1; }
of_process() { nvidia-smi --query-compute-apps=pid,used_memory --format=csv,noheader,nounits 2>/dev/null | awk -F', *' -v pid="$1" '$1 == pid && $2 + 0 { print $2 }' | head -n 1; }

# Runs a program on the device and sets PEAK in bytes. A driver that does not tell processes apart (in a container, say) gives
# what the whole GPU gained meanwhile.
watched() { # PROGRAM ARGUMENTS...
    local name=$1 pid status own=0 all=0 before now
    shift
    if [ -n "${FAKE_GPU_REPORT-}" ]; then
        "$BIN/$name" --device "$TEST_DEVICE" "$@"
        status=$?
        PEAK=$(tail -n 1 "$FAKE_GPU_REPORT" | jq .peak_bytes)
        return $status
    fi
    before=$(of_gpu)
    "$BIN/$name" --device "$TEST_DEVICE" "$@" &
    pid=$!
    while kill -0 $pid 2>/dev/null; do
        now=$(of_process $pid)
        if [ "${now:-0}" -gt "$own" ]; then own=$now; fi
        now=$(of_gpu)
        if [ "$((${now:-0} - ${before:-0}))" -gt "$all" ]; then all=$((now - before)); fi
        sleep 0.05
    done
    wait $pid
    status=$?
    PEAK=$(((own > 0 ? own : all) * MIB))
    return $status
}
tracks() { watched sample-tokens --engine torch --model "$folder" --jobs list "$@"; }
# The largest plan, in bytes; of them what libraries take for themselves, an allowance, and the fake GPU has no such libraries.
planned() { sample --dry-run --model "$folder" --jobs list "$@" | jq -rs 'map(.memory) | max_by(.total) | "\(.total) \(.libraries // 0)"'; }
mib() { awk "BEGIN { printf \"%.0f MiB\", $1 / $MIB }"; }
write_jobs() { # TRACKS SHORTEST LONGEST: durations go down from the longest
    jq -nc --argjson tracks "$1" --argjson shortest "$2" --argjson longest "$3" 'range($tracks) | {condition: "condition",
        duration: ($longest - . * ($longest - $shortest) / ([$tracks - 1, 1] | max)), output: "tokens.\(.)", seed: .}' >list
}
condition() { "$BIN/encode-text" --device cpu --quiet --model "$folder" --prompt 'a calm piano' --output condition; }

# What a process takes beside its plan: the smallest model's.
folder=$(model tiny) && condition || exit 1
write_jobs 1 "$seconds_each" "$seconds_each"
check 'the smallest model' 0 '"status":"done"' '.*' -- tracks --batch 1
read -r plan libraries < <(planned --batch 1)
context=$((PEAK > plan - libraries ? PEAK - (plan - libraries) : 0))
echo "# a process takes $(mib $context) beside its plan"
that 'a process takes less than 2 GiB beside its plan' test $context -lt $((2 << 30))
fact 'bytes beside the plan' "$context"

for case in "${cases[@]}"; do
    shape=${case%:*} batch=${case#*:}
    folder=$(model "$shape" sparse) && condition || exit 1
    write_jobs "$batch" "$seconds_each" "$seconds_each"
    read -r plan libraries < <(planned --batch "$batch")
    name="$shape, $batch at once, $seconds_each s"
    for limit in '' 10G; do
        check "$name${limit:+, --memory $limit}" 0 '"status":"done"' '.*' -- tracks --batch "$batch" ${limit:+--memory "$limit"}
        that "all tracks are done" test "$(grep -c '"status":"done"' "$OUT")" -eq "$batch"
        echo "# $name${limit:+, --memory $limit}: peak $(mib "$PEAK"), plan $(mib "$plan")"
        that 'the peak is within plan, process and reserve' test "$PEAK" -le $((plan + context + RESERVE))
        that 'and most of the plan is really taken' test "$PEAK" -ge $(((plan - libraries) / 10 * 7))
        that 'it is below 10 GiB' test "$PEAK" -lt $LIMIT
        fact "$name${limit:+, --memory $limit}" "$(jq -nc --argjson plan "$plan" --argjson peak "$PEAK" '{$plan, $peak}')"
    done
    check 'half of it is refused before anything is taken' 1 '.*' 'allowed; ' -- tracks --batch "$batch" --memory $((plan / 2))
done

# Many tracks of different lengths take what the first few do, of which one is the longest.
folder=$(model "$TEST_SHAPE" sparse) && condition || exit 1
write_jobs 17 "$(awk "BEGIN { print $TEST_DURATION / 17 }")" "$TEST_DURATION"
cp list many
head -n 4 many >list
check 'four tracks' 0 '"status":"done"' '.*' -- tracks --batch 4
few=$PEAK
cp many list
check 'seventeen tracks' 0 '"status":"done"' '.*' -- tracks --batch 4
that 'all of them are done' test "$(grep -c '"status":"done"' "$OUT")" -eq 17
echo "# 4 tracks: $(mib "$few"), 17 tracks: $(mib "$PEAK")"
that 'more tracks take no more memory' test "$PEAK" -le $((few + GRAIN))
fact 'peak of 4 and of 17 tracks' "[$few, $PEAK]"

# T5 and the codec, which is no codec without weights; its memory does not grow with the duration.
folder=$(model "$TEST_SHAPE") || exit 1
"$BIN/../bench/plans" --quiet --model "$folder" >plans || exit 1
within_plan() { # PROGRAM
    local total
    total=$(jq --arg name "$1" '.[$name].total' plans)
    that "$1 is within plan, process and reserve: $(mib "$PEAK") of $(mib "$total")" test "$PEAK" -le $((total + context + RESERVE))
}
check 'encode-text' 0 '' '.*' -- watched encode-text --model "$folder" --prompt 'a calm piano' --output device.condition
within_plan encode-text
fact 'peak of encode-text' "$PEAK"
peaks=() clip=$((TEST_DURATION > 10 ? TEST_DURATION : 10)) # blocks of the codec are full from some seconds on
for seconds in $clip $((4 * clip)); do
    ffmpeg -y -v error -f lavfi -i "sine=frequency=300:duration=$seconds" -ar 32000 -c:a pcm_f32le clip.wav
    check "encode-audio, $seconds s" 0 '' '.*' -- watched encode-audio --model "$folder" --input clip.wav --as tokens --output clip.tokens
    within_plan encode-audio
    peaks+=("$PEAK")
    check "decode-audio, $seconds s" 0 '' '.*' -- watched decode-audio --model "$folder" --tokens clip.tokens --output sound.wav
    within_plan decode-audio
    peaks+=("$PEAK")
done
echo "# $clip and $((4 * clip)) s: encode-audio $(mib "${peaks[0]}") and $(mib "${peaks[2]}"), decode-audio $(mib "${peaks[1]}") and $(mib "${peaks[3]}")"
# The last chunk is longer or shorter than the others: so the grain is one of the fake GPU, too.
that 'four times the duration takes no more memory to encode' test "${peaks[2]}" -le $((peaks[0] + GRAIN + MIB))
that 'nor to decode' test "${peaks[3]}" -le $((peaks[1] + GRAIN + MIB))
that 'each is below 10 GiB' test "${peaks[2]}" -lt $LIMIT -a "${peaks[3]}" -lt $LIMIT
fact "peaks of encode-audio and decode-audio, $clip s and four times that" "$(jq -nc '$ARGS.positional | map(tonumber)' --args "${peaks[@]}")"
finish

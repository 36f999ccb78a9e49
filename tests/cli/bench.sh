#!/usr/bin/env bash
# make bench with a tiny shape: the model that it makes, the measuring program, and the result. What is measured is checked for
# sense only: no figure of a test machine says anything. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
cd "$WORK" || exit 1
BENCH=$(dirname "$BIN")/bench
SPIECE=$MODEL/spiece.model
export BUILD
header() { tail -c +9 "$1" | head -c "$(od -An -t u8 -N 8 "$1" | tr -d ' ')"; }
[ "${BUILD#/}" != "$BUILD" ] || BUILD=$PROJECT/$BUILD

# models
check "make-model makes a folder" 0 '' '' -- "$BENCH/make-model" --shape tiny --tokenizer "$SPIECE" --output models/tiny
check "and the same one again" 0 '' '' -- "$BENCH/make-model" --shape tiny --tokenizer "$SPIECE" --output again
that "byte for byte" cmp models/tiny/model.safetensors again/model.safetensors
that "with the tokenizer that was given" cmp models/tiny/spiece.model "$SPIECE"
check "a shape that is not there" 2 '' "^make-model: '--shape' cannot be 'smal' \(did you mean 'small'\?\)" -- \
    "$BENCH/make-model" --shape smal --tokenizer "$SPIECE" --output x
check "no shape" 2 '' '^make-model: --shape is missing' -- "$BENCH/make-model" --tokenizer "$SPIECE" --output x
check "no tokenizer" 2 '' '^make-model: --tokenizer is missing' -- "$BENCH/make-model" --shape tiny --output x
check "no output" 2 '' '^make-model: --output is missing' -- "$BENCH/make-model" --shape tiny --tokenizer "$SPIECE"
check "a tokenizer that is not there" 1 '' "^make-model: .*'nowhere'" -- "$BENCH/make-model" --shape tiny --tokenizer nowhere --output half
that "leaves no configuration, without which the folder is no model" test ! -e half/config.json
: >file
check "a file in the folder's place" 1 '' "^make-model: .*'file'" -- "$BENCH/make-model" --shape tiny --tokenizer "$SPIECE" --output file

check "make-model --sparse makes the same of a hole" 0 '' '' -- "$BENCH/make-model" --sparse --shape tiny --tokenizer "$SPIECE" --output hole
that "as long" test "$(stat -c %s hole/model.safetensors)" -eq "$(stat -c %s again/model.safetensors)"
that "with the same arrays" cmp <(header hole/model.safetensors) <(header again/model.safetensors)
that "of which there are some" grep -q '"decoder.lm_heads.0.weight":' <(header hole/model.safetensors)
check "a melody model, large and stereo, in no time" 0 '' '' -- "$BENCH/make-model" --sparse --shape stereo-melody-large --tokenizer "$SPIECE" --output melody
that "of 5 GB that are not there" test "$(stat -c %s melody/model.safetensors)" -gt 5000000000 -a "$(du -sm melody | cut -f 1)" -lt 5

# what is planned
check "plans says what T5 and EnCodec would take" 0 '"encode-text":.*"work":[1-9].*"libraries":[1-9].*"decode-audio":.*"chunks":[1-9].*"encode-audio"' '' -- "$BENCH/plans" --model hole
check "on a CPU, which has no such libraries" 0 '^(?!.*libraries)' '' -- "$BENCH/plans" --model hole --device cpu
check "of a model" 2 '' '^plans: --model is missing' -- "$BENCH/plans"

# the measuring program
check "sample needs a model" 2 '' '^sample: --model is missing' -- "$BENCH/sample" --weights f16
check "and a type of weights" 2 '' '^sample: --weights is missing' -- "$BENCH/sample" --model models/tiny
check "and an engine that is there" 2 '' "^sample: there is no engine 'abacus'" -- "$BENCH/sample" --model models/tiny --weights f16 --engine abacus
check "numbers of tracks rise" 2 '' "^sample: '--tracks 2' after 4" -- "$BENCH/sample" --model models/tiny --weights f16 --tracks 4 --tracks 2
check "no tracks" 2 '' "^sample: '--tracks 0': expected a number from 1 to 64" -- "$BENCH/sample" --model models/tiny --weights f16 --tracks 0
check "too few frames" 2 '' "^sample: '--frames 10' is less than four windows of 4" -- \
    "$BENCH/sample" --model models/tiny --weights f16 --frames 10 --window 4
check "too few bytes" 2 '' "^sample: '--buffer' cannot be '0'" -- "$BENCH/sample" --model models/tiny --weights f16 --buffer 0
check "int8 is engine cpu's" 2 '' "^sample: '--weights int8' is engine cpu's" -- "$BENCH/sample" --model models/tiny --weights int8 --engine torch
check "more than there is memory for" 1 '"status":"failed"' "^sample: 'tiny' with 1 track of 1000000016 frames needs .*; this machine has .*; give fewer" -- \
    "$BENCH/sample" --model models/tiny --weights f16 --tracks 1 --text 1 --late 1000000000 --buffer 2M

# all of it
before=$(stat -c %Y%i models/tiny/model.safetensors)
check "bench/run" 0 'f16 +2 +5  middle window.*int8 +1 +3  every frame.*T5, 10 tokens.*EnCodec, decode 0.4 s.*share of bandwidth.*written: results/tiny.json' '.*' -- \
    "$PROJECT/bench/run" --quick --models models --results results --name tiny tiny
that "a model that is there is not made again" test "$before" = "$(stat -c %Y%i models/tiny/model.safetensors)"
that "the result is JSON with its format, machine and versions" jq -e '.format == "leitmotif.bench/1" and .quick and
    .machine.processors > 0 and .machine.memory_bytes > 0 and (.versions.leitmotif | test("^leitmotif [0-9]")) and (.date | test("^20.*Z$"))' results/tiny.json
that "every number of tracks and length of text was measured" jq -e '[.shapes.tiny.sampling[0].steps[] | [.measured, .tracks, .text_tokens]] ==
    [["every frame", 1, 3], ["every frame", 1, 5], ["late window", 1, 3], ["middle window", 1, 3], ["middle window", 2, 3],
     ["middle window", 1, 5], ["middle window", 2, 5]]' results/tiny.json
that "with as many steps as asked for, at their frames" jq -e '[.shapes.tiny.sampling[0].steps[] | [.first_frame, .steps, .mean_frame]] ==
    [[0, 16, 7.5], [0, 16, 7.5], [40, 4, 41.5], [4, 4, 5.5], [4, 4, 7.5], [4, 4, 5.5], [4, 4, 7.5]]' results/tiny.json
that "in both types of weights" jq -e '[.shapes.tiny.sampling[] | [.engine, .weights, .cache, (.steps | length)]] ==
    [["cpu", "f16", "f16", 7], ["cpu", "int8", "f16", 7]]' results/tiny.json
that "all figures are positive" jq -e '[.shapes.tiny.sampling[] | .prefill.columns_per_second, (.steps[] | .seconds, .steps_per_second,
    .track_steps_per_second, .times_real_time, .share_of_bandwidth, .milliseconds[], .bandwidth_gb_per_second[])] | all(. > 0)' results/tiny.json
that "least, median and most are in order" jq -e '[.shapes.tiny.sampling[0].steps[] | .milliseconds, .bandwidth_gb_per_second |
    .least <= .median and .median <= .most] | all' results/tiny.json
that "rates and times belong together" jq -e '[.shapes.tiny.sampling[0].steps[] | (.steps / .seconds / .steps_per_second - 1 | fabs),
    (.track_steps_per_second / .tracks / .steps_per_second - 1 | fabs), (.times_real_time * 50 / .track_steps_per_second - 1 | fabs)] | all(. < 1e-6)' results/tiny.json
# width 64, 2 layers, 4 heads of 2048: 2 (6 64^2 + 2 64 256) + 4 2048 64 halves, 2 6 64 + 2 64 float32 of norms; a position has 2
# rows of 2 layers of keys and values of 64 halves, a token of the text one: 1281536 + 1024 8.5 + 512 3.
that "the bytes of a step are those of weights, keys and values" jq -e '.shapes.tiny.sampling[0].steps |
    .[0].bytes_per_step == 1291776 and .[1].bytes_per_step == .[0].bytes_per_step + 1024 and
    .[4].bytes_per_step == 1281536 + 2 * (1024 * 8.5 + 1536)' results/tiny.json
# half of the matrices, and a float32 for each of the 2 (6 64 + 256 + 64) + 4 2048 outputs
that "in int8 those of the matrices are half, and their scales" jq -e '.shapes.tiny.sampling |
    .[0].steps[0].bytes_per_step - .[1].steps[0].bytes_per_step == (2 * 57344 + 524288) - 4 * 9600' results/tiny.json
that "int8 is held against f16 beside the bandwidth of each" jq -e '.shapes.tiny | ([.sampling[].steps[0]] |
    map(.milliseconds.median * .bandwidth_gb_per_second.median) | .[0] / .[1]) / .ratios.int8.speed_beside_f16 - 1 | fabs < 1e-9' results/tiny.json
that "T5, the codec and a whole track are timed" jq -e '.shapes.tiny | (.text | map(.text_tokens)) == [10, 150] and
    (.codec.decode.seconds | length) == 2 and .codec.encode.median_seconds > 0 and .track.frames == 20 and .track.steps_per_second > 0' results/tiny.json
that "the ratios are those of the figures" jq -e '.shapes.tiny | .sampling[0].steps as $steps | .ratios.f16 |
    .share_of_bandwidth == $steps[0].share_of_bandwidth and
    (.cost_of_a_long_text * $steps[0].milliseconds.median / $steps[1].milliseconds.median - 1 | fabs) < 1e-9 and
    (.gain_of_2_tracks * $steps[4].milliseconds.median / $steps[3].milliseconds.median / 2 - 1 | fabs) < 1e-9' results/tiny.json
that "nothing else is left in the folder of results" test "$(ls -A results)" = tiny.json
check "a shape that is not there" 2 '' "^bench: 'tinny' is neither an option nor a shape" -- "$PROJECT/bench/run" tinny
# engine torch, each figure of an engine of its own, and PyTorch eager beside it where there is a python3 with torch
eager=null
torch=$(cat "$PROJECT/libtorch.path" /opt/leitmotif/libtorch.path 2>/dev/null | head -n 1)
! PYTHONPATH=$torch python3 -c 'import torch.nn' 2>/dev/null || eager='"CPU"'
check "engine torch, which has no int8" 0 'f16 .*written: results/torch.json' '.*' -- \
    "$PROJECT/bench/run" --quick --models models --results results --name torch --engine torch --eager yes tiny
that "its weights are those that it has" jq -e '[.shapes.tiny.sampling[] | [.engine, .kernels, .weights, .device.name, .graph]] ==
    [["torch", null, "f16", "CPU", null]]' results/torch.json
that "every number of tracks has every frame of every text" jq -e '[.shapes.tiny.sampling[0].steps[] | [.measured, .tracks, .text_tokens, .first_frame, .steps]] ==
    [["every frame", 1, 3, 0, 16], ["every frame", 1, 5, 0, 16], ["every frame", 2, 3, 0, 16], ["every frame", 2, 5, 0, 16], ["late window", 1, 3, 40, 4]]' results/torch.json
that "the ratios are those of the figures" jq -e '.shapes.tiny | .sampling[0].steps as $steps | .ratios.f16 |
    .share_of_bandwidth == $steps[0].share_of_bandwidth and .gain_of_recording == null and
    (.cost_of_a_late_frame * $steps[0].milliseconds.median / $steps[4].milliseconds.median - 1 | fabs) < 1e-9 and
    (.gain_of_2_tracks * $steps[0].steps_per_second / $steps[2].steps_per_second / 2 - 1 | fabs) < 1e-9' results/torch.json
that "PyTorch eager is beside it where it can be" jq -e --argjson device "$eager" '.shapes.tiny | .torch_eager as $eager | $eager.device == $device and
    ($eager == null or (($eager.steps | length) == 4 and (.ratios.f16.times_torch_eager_with_2_tracks_and_5_tokens *
    $eager.steps[3].steps_per_second / .sampling[0].steps[3].steps_per_second - 1 | fabs) < 1e-9))' results/torch.json
if [ "$eager" != null ]; then
    eager() { PYTHONPATH=$torch python3 "$PROJECT/bench/torch-eager.py" --device cpu --model "$TINY" --check "$TINY/reference.safetensors" "$@"; }
    check "PyTorch eager computes what transformers does" 0 '"greedy_frames_equal": 24, .*"passed": true' '.*' -- eager
    check "in float16, too" 0 '"dtype": "float16".*"passed": true' '.*' -- eager --dtype float16
    check "and would say if it did not" 1 '"passed": false' '.*' -- eager --dtype float16 --tolerance 1e-4
else
    skip 'PyTorch eager' 'python3 has no torch'
fi
check "a device that is none" 2 '' "^bench: '--device abacus': cpu, cuda or cuda:N" -- "$PROJECT/bench/run" --device abacus tiny
check "--eager is yes or no" 2 '' "^bench: '--eager maybe': yes or no" -- "$PROJECT/bench/run" --eager maybe tiny
check "no frames" 2 '' "^bench: '--frames x': expected a number" -- "$PROJECT/bench/run" --frames x tiny
check "engine cpu has no GPU" 2 '' "^sample: '--engine cpu' cannot use device 'cuda'" -- "$BENCH/sample" --model models/tiny --weights f16 --engine cpu --device cuda
check "a name that is a path" 2 '' "^bench: '--name ../x' cannot be" -- "$PROJECT/bench/run" --name ../x
check "a build folder without the programs" 1 '' "^bench: the programs are not in '$WORK/models'" -- env BUILD="$WORK/models" "$PROJECT/bench/run" tiny
mkdir few && ln -s "$(command -v bash)" "$(command -v dirname)" few
check "a machine without jq" 1 '' "^bench: 'jq' is not there" -- env PATH="$WORK/few" "$PROJECT/bench/run" tiny
check "an option without its value" 2 '' "^bench: '--name' needs a value" -- "$PROJECT/bench/run" --name
check "a type of weights that is not there" 1 '' "cannot be 'f7'.*bench: sample failed" -- \
    "$PROJECT/bench/run" --quick --models models --results results --weights f7 tiny
check "help" 0 'bench/run .*--quick' '' -- "$PROJECT/bench/run" --help
finish

#!/usr/bin/env bash
# The fake GPU of tests/fake-gpu: it refuses what a GPU would, has as much memory as it is told, records and replays, and tells
# what happened. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
. "$TESTS/fake-gpu/use.bash"
cd "$WORK" || exit 1
if [ -n "${ASAN_OPTIONS:-}" ]; then
    skip 'the fake GPU' 'it is a part of the tests, which other scripts use under a sanitizer'
    finish
    exit
fi
fake_gpu 'the fake GPU' || { finish; exit; }
run() { "$LEITMOTIF_LIBTORCH/scenarios" "$@"; }
with() { env "${@:1:1}" "$LEITMOTIF_LIBTORCH/scenarios" "${@:2}"; } # SETTING SCENARIO...
two_places='Expected all tensors to be on the same device, but found at least two devices, cuda:0 and'

# what is refused
check 'a tensor of the host among those of the GPU' 1 '' "'aten::mul': $two_places cpu" -- run mixed
check 'in a list' 1 '' "'aten::cat': $two_places cpu" -- run mixed_list
check 'given for an optional argument' 1 '' "'aten::linear': $two_places cpu" -- run mixed_optional
check 'of another GPU' 1 '' "$two_places cuda:1" -- with FAKE_GPU_COUNT=2 mixed_gpus
check 'of a GPU that is not there' 1 '' 'invalid device ordinal' -- run mixed_gpus
check 'an index on the host' 1 '' "'aten::embedding': $two_places cpu" -- run host_index
check 'to copy by, too' 1 '' "'aten::index_copy_': $two_places cpu" -- run host_index_copy
check 'but a number may be there' 0 '^product 2 4 6$' '' -- run host_number
check 'the address of memory of the GPU' 1 '' '^fake-gpu: VIOLATION the host asks for the address' -- run address
that 'which is reported' grep -q '"violations": \["the host asks' "$FAKE_GPU_REPORT"

# memory
MIB=1048576
check 'new memory is garbage' 0 '^new -?nan -?nan -?nan$' '' -- run uninitialised
check 'all that there is beside the context' 0 '^got$' '' -- with FAKE_GPU_MEMORY=500M allocate_sizes $((50 * MIB))
check 'a byte more' 0 '^refused memory$' '' -- with FAKE_GPU_MEMORY=500M allocate_sizes $((50 * MIB + 1))
check 'blocks of 512 bytes' 0 '^got\nrefused memory$' '' -- with FAKE_GPU_MEMORY=500M allocate_sizes 1 $((50 * MIB - 511))
check 'a smaller context' 0 '^got$' '' -- env FAKE_GPU_MEMORY=500M FAKE_GPU_CONTEXT=400M "$LEITMOTIF_LIBTORCH/scenarios" allocate_sizes $((100 * MIB))
check 'work space of libraries' 0 "^$((1000 * MIB - 450 * MIB - 10 * MIB - 1024 - 32 * MIB)) of" '' -- \
    env FAKE_GPU_MEMORY=1000M FAKE_GPU_WORKSPACE=32M "$LEITMOTIF_LIBTORCH/scenarios" free_memory
check 'a limit of its own, in libtorch'\''s settings' 0 '^got\nrefused memory$' '' -- env FAKE_GPU_MEMORY=1000M LIMIT=$((100 * MIB)) \
    "$LEITMOTIF_LIBTORCH/scenarios" allocate_sizes $((60 * MIB)) $((60 * MIB))
check 'the second megabyte refused, once' 0 '^got\ngot\nrefused memory\ngot$' '' -- with FAKE_GPU_REFUSE=2 allocate_sizes $MIB 1000 $MIB $MIB
check 'the first of ten' 0 '^got\nrefused memory$' '' -- with FAKE_GPU_REFUSE=1:10M allocate_sizes $MIB $((10 * MIB))
check 'the result of an operation that does not fit' 1 '' 'CUDA out of memory\. Tried to allocate 20\.00 MiB\. GPU 0 has a total capacity of 485\.00 MiB of which 15\.00 MiB is free\.' -- \
    with FAKE_GPU_MEMORY=485M refused_result
check 'what was freed is still taken' 0 "^$((1000 * MIB - 450 * MIB - 10 * MIB - 1024)) of $((1000 * MIB))$" '' -- with FAKE_GPU_MEMORY=1000M free_memory
check 'views share memory' 0 '' '' -- run shared_memory
that 'which counts once' [ "$(fake_report peak_bytes)" -eq $MIB ]
that 'and not for ever' [ "$(fake_report live_bytes)" -eq 0 ]

# copies
check 'a copy that is waited for' 0 '^sent 1 2 3$' '' -- run send_and_wait
check 'and one whose source changes before' 0 '^sent 0 0 0$' '' -- run send_and_overwrite
check 'a copy to the host' 0 '^fetched 1 2 3$' '' -- run fetch_and_wait
check 'and one that is read before' 0 '^fetched 0 0 0$' '' -- run fetch_too_early
check 'many numbers through pinned buffers' 0 '^last 5242877 5242878 5242879$' '' -- run staged

# cuDNN
state='^y and h 0\.12190[0-9]+ 0\.36960[0-9]+ 0\.12190[0-9]+$'
check 'an LSTM whose weights are in pieces' 0 "$state" '^Warning: RNN module weights are not part of single contiguous chunk' -- run lstm_in_pieces
check 'in one piece' 0 "$state" '' -- run lstm_in_one_piece
that 'which the weights are views of' [ "$(fake_report live_bytes)" -eq 0 ]

# graphs
check 'nothing runs while it is recorded, and replays see what changed' 0 \
    '^recorded 0 0 0\ngarbage -?nan -?nan -?nan\nreplayed 4 8 12\nresult 3 6 9\nchanged 24 48 72$' '' -- run replayed
that 'three launches' [ "$(fake_report launches)" -eq 3 ]
check 'replays read pinned memory' 0 '^replayed 22 26 30$' '' -- run replayed_from_pinned
check 'when they run, not when they are launched' 0 '^replayed 0 0 0$' '' -- run replayed_overwritten
check 'no waiting in a recording' 0 '^not recorded: .*not permitted when stream is capturing \(a synchronisation\)$' '' -- run capture_wait
check 'no reading' 0 '^not recorded: .*not permitted when stream is capturing \(a copy' '' -- run capture_read
check 'no memory that is not pinned' 0 '^not recorded: .*\(a copy of host memory that is not pinned\)$' '' -- run capture_unpinned
check 'no number where it is copied' 0 '^not recorded: .*\(a number of the host in aten::where, which copies it\)$' '' -- run capture_number
check 'no library that is used for the first time' 0 '^not recorded: .*\(a library that begins\)$' '' -- run capture_library
check 'not on the default stream' 0 '^not recorded: operation not permitted when stream is capturing$' '' -- run capture_default
check 'a GPU that records nothing' 0 '^not recorded: operation not supported$' '' -- with FAKE_GPU_CAPTURE=refuse capture_anything
check 'a recording that fails at its end' 0 '^not recorded: operation failed due to a previous error during capture$' '' -- with FAKE_GPU_CAPTURE=fail capture_anything
check 'memory allocated between two replays' 1 '' '^fake-gpu: VIOLATION a graph is launched after memory was allocated' -- run allocated_between
check 'memory freed between them' 1 '' "^fake-gpu: VIOLATION a graph is launched after memory that its 'aten::mul' uses was freed" -- run freed_between

# what the programs call of libtorch and may be on a GPU is the fake's
called() { sed -nE 's/^ *(REQUIRED|OPTIONAL|FUNCTION)\([^,]*, ((aoti_|torch|cuda)[A-Za-z_0-9]*),.*/\2/p' "$PROJECT"/tools/lib/libtorch/{prototypes,cuda-prototypes}.h; }
defined() { nm -D --defined-only "$LEITMOTIF_LIBTORCH/libtorch.so" | awk '{print $3}'; }
beneath='^(aoti_torch_(abi_version|dtype_.*|device_type_.*|layout_strided|memory_format_.*|get_dim|get_numel|get_sizes|get_strides|get_dtype|is_contiguous|grad_mode_.*)|torch_parallel_for)$'
missing() { comm -23 <(called | sort -u) <(defined | sort -u) | grep -vE "$beneath"; }
that 'the lists of functions are found' [ "$(called | wc -l)" -gt 40 ]
that 'none of them is the real one by mistake' [ -z "$(missing)" ]
finish

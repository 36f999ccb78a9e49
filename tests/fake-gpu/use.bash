# shellcheck shell=bash
# Sourced after tests/cli/lib.sh: programs that are started from here on find a fake GPU. SPDX-License-Identifier: Apache-2.0
#
#   fake_gpu NAME      exports what they need for --device cuda; where the fake cannot be had: skips the check NAME, and fails
#   fake_report FIELD  that number of the last line of $FAKE_GPU_REPORT

fake_gpu() {
    local folder
    folder=$(cd "$PROJECT" && cd "$BUILD" && pwd)/fake-gpu
    if [ ! -e "$folder/libtorch.so" ]; then
        skip "$1" 'a fake GPU needs an installed libtorch for CPUs, and make tests'
        return 1
    fi
    export LEITMOTIF_LIBTORCH=$folder LD_LIBRARY_PATH=$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} FAKE_GPU_REPORT=$WORK/.fake-gpu
}

fake_report() { tail -n 1 "$FAKE_GPU_REPORT" | sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p"; }

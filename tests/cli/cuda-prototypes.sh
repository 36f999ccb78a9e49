#!/usr/bin/env bash
# The hand-written prototypes of NVIDIA's functions (tools/lib/libtorch/cuda-prototypes.h) against NVIDIA's own headers, where they
# are: each is declared once more with the types that its pointers and numbers stand for. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
cd "$WORK" || exit 1
headers=${CUDA_HOME:-/usr/local/cuda}/include
ours=$PROJECT/tools/lib/libtorch/cuda-prototypes.h

typed() { # SED-EXPRESSION...: the header with its stand-ins for the types replaced by the types
    local expressions=()
    for expression in "$@"; do expressions+=(-e "$expression"); done
    sed "${expressions[@]}" "$ours"
}
runtime=('s/FUNCTION(int,/FUNCTION(cudaError_t,/' 's/int error/cudaError_t error/' 's/void \(\**\)\*stream/cudaStream_t \1stream/'
    's/void \(\**\)\*graph/cudaGraph_t \1graph/' 's/void \(\**\)\*executable/cudaGraphExec_t \1executable/' 's/int mode/enum cudaStreamCaptureMode mode/')
driver=('s/FUNCTION(int,/FUNCTION(CUresult,/' 's/int \(\**\)device/CUdevice \1device/')
management=('s/FUNCTION(int,/FUNCTION(nvmlReturn_t,/')

declares() { # HEADER LIST SED-EXPRESSION...
    typed "${@:3}" >typed.h
    printf '#include <%s>\n#include "typed.h"\n#define AGAIN(result, name, arguments) result name arguments;\n%s(AGAIN)\n' "$1" "$2" >again.c
    printf '#define KNOWN(result, name, arguments) void *address_of_##name = (void *)&name;\n%s(KNOWN)\n' "$2" >>again.c # undeclared names are errors
    gcc -std=c11 -I"$headers" -I. -Wredundant-decls -fsyntax-only again.c 2>errors && [ "$(grep -c 'redundant redeclaration' errors)" -eq "$(functions "$2")" ]
}
functions() { sed -n "/define $1(/,/^\$/p" "$ours" | grep -c '^    FUNCTION('; }

same() { # NAME HEADER LIST SED-EXPRESSION...
    if [ -e "$headers/$2" ]; then that "$1" declares "${@:2}"; else skip "$1" "$headers has no $2"; fi
}
same 'the runtime' cuda_runtime_api.h CUDA_RUNTIME "${runtime[@]}"
same 'the driver' cuda.h CUDA_DRIVER "${driver[@]}"
same 'its management library' nvml.h CUDA_MANAGEMENT "${management[@]}"
differs() { ! declares cuda_runtime_api.h CUDA_RUNTIME "${runtime[@]}" 's/unsigned long long flags/unsigned flags/' && grep -q 'conflicting types' errors; }
if [ -e "$headers/cuda_runtime_api.h" ]; then that 'a wrong one is found' differs; fi
finish

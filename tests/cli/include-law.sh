#!/usr/bin/env bash
# The include law: layers of tools/lib include only their own and lower ones, programs only tools/lib and themselves, and each
# outside library is seen by its one module. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
cd "$PROJECT/tools" || exit 1
LAYERS="base formats cpu libtorch nn"

includes() { grep -HoE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[^"]+"' "$@" /dev/null | sed -E 's/:[^"]*"([^"]+)"/ \1/'; }

layer_violations() { # what a layer may include: itself and the layers before it
    local allowed="" layer
    for layer in $LAYERS; do
        allowed="$allowed|$layer"
        includes lib/"$layer"/*.[ch] | grep -vE " (${allowed#|})/[^/]+$"
    done
}
program_violations() {
    local folder program
    for folder in */; do
        program=${folder%/}
        [ "$program" = lib ] || includes "$program"/* | grep -vE " ((base|formats|cpu|libtorch|nn)/[^/]+|($program/)?[^/]+)$"
    done
}
seen_by() { # LIBRARY-HEADER-PATTERN ALLOWED-FILES-PATTERN: files beyond the allowed that see it
    grep -rlE "^[[:space:]]*#[[:space:]]*include[[:space:]]*<($1)" . | sed 's|^\./||' | grep -vE "^($2)"
}
nothing() { # COMMAND...: prints nothing
    local found
    found=$("$@")
    [ -z "$found" ] || { echo "$found"; return 1; }
}
that "layers include only downward" nothing layer_violations
that "programs include only the library and themselves" nothing program_violations
that "only formats/audio sees libav" nothing seen_by 'libav|libsw' 'lib/formats/audio[a-z-]*\.[ch]$'
that "only formats/loudness sees libebur128" nothing seen_by 'ebur128' 'lib/formats/loudness\.c$'
that "only the tokenizer sees sentencepiece" nothing seen_by 'sentencepiece' 'encode-text/tokenizer\.cc$'
that "only formats/yaml-tree sees libyaml" nothing seen_by 'yaml' 'lib/formats/yaml-tree\.[ch]$'
that "only base/flags sees popt" nothing seen_by 'popt' 'lib/base/flags\.c$'
that "only base/hash sees libcrypto" nothing seen_by 'openssl' 'lib/base/hash\.c$'
that "only fetch-model's http sees libcurl" nothing seen_by 'curl' 'fetch-model/http\.c$'
that "only lib/libtorch opens libraries" nothing seen_by 'dlfcn' 'lib/libtorch/'
that "the only C++ is the tokenizer" nothing bash -c "find . -name '*.cc' -o -name '*.cpp' | grep -v encode-text/tokenizer.cc"
broken_tree() { # a layer that includes a higher one is found
    mkdir -p "$WORK/tools/lib/base" && cd "$WORK/tools" && echo '#include "nn/weights.h"' >lib/base/x.c && [ -n "$(layer_violations)" ]
}
that "the law finds what breaks it" broken_tree
finish

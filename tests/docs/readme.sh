#!/usr/bin/env bash
# The README's project file is valid, and its commands work as written. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
cd "$WORK" || exit 1
ln -s "$PROJECT/model-cache" model-cache
mkdir -p build && ln -s "$BIN" build/bin

blocks() { # LANGUAGE: the README's code blocks of a language, one after another
    sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/{/^\`\`\`/d;p}" "$PROJECT/README.md"
}
blocks yaml >game.yaml
that "the README has a project file" test -s game.yaml
check "the README's project file is valid" 0 'ok' '' -- build/bin/leitmotif check game.yaml

# The stages by hand, line by line, shortened to 2 s; what needs a terminal, the network or minutes is not run here.
blocks sh | grep -E '^build/bin/(encode-text|sample-tokens|decode-audio|transcode|verify)' | sed 's/--duration 10/--duration 2/; s/--expect-duration 10/--expect-duration 2/' >commands
that "the README shows the five stages" test "$(wc -l <commands)" -eq 5
while read -r line; do
    check "README: ${line%% --*}" 0 '.*' '.*' -- bash -c "$line"
done <commands
that "the stages made release files" test -s a.ogg -a -s a.mp3
check "README: plan" 0 '.' '.*' -- build/bin/leitmotif plan --workspace "$WORK/w" game.yaml
finish

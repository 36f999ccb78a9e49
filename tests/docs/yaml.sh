#!/usr/bin/env bash
# Every example of docs/yaml.md is a valid project, and every key of the schema is explained there.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/../cli/lib.sh"
cd "$WORK" || exit 1
page=$PROJECT/docs/yaml.md

# Example n goes to n.yaml; one that shows a part only gets the rest of a file around it.
awk '/^```yaml$/ {n++; inside = 1; next} /^```$/ {inside = 0} inside {print > (n ".yaml")}' "$page"
that "the page has examples" test -s 7.yaml
for example in [0-9]*.yaml; do
    grep -q '^leitmotif:' "$example" || sed -i '1i leitmotif: 1' "$example"
    grep -q '^tracks:' "$example" || echo 'tracks: {a: x}' >>"$example"
    grep -q '^title:' "$example" || echo 'title: example' >>"$example"
    check "docs/yaml.md: example ${example%.yaml}" 0 ': ok, ' '.*' -- "$BIN/leitmotif" check "$example"
done

keys() { # what the schema has as keys
    python3 -c '
import json, sys
def walk(value):
    for key, member in value.items() if isinstance(value, dict) else []:
        if key == "properties": print("\n".join(member))
        walk(member)
walk(json.load(open(sys.argv[1])))' "$PROJECT/pipelines/schema.json" | sort -u
}
keys >keys
that "the schema has keys" test "$(wc -l <keys)" -gt 25
while read -r key; do
    that "docs/yaml.md explains '$key'" grep -qE "^\|.*\`$key\`.*\|" "$page"
done <keys
finish

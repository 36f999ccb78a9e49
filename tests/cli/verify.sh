#!/usr/bin/env bash
# verify as a user runs it, on files that ffmpeg made. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
verify=$BIN/verify
cd "$WORK" || exit 1

make_audio() { # FILE SOURCE [ffmpeg options...]
    local file=$1 source=$2
    shift 2
    ffmpeg -hide_banner -v error -nostdin -y -f lavfi -i "$source" "$@" "$file"
}
cut_short() { head -c $(($(stat -c %s "$1") * 6 / 10)) "$1" >"$2"; }

sum='0.4*sin(2*PI*440*t)+0.2*sin(2*PI*553*t)'
tone=aevalsrc=$sum
make_audio tone.wav "$tone:s=32000:d=5"
make_audio float.wav "$tone:s=32000:d=5" -c:a pcm_f32le
make_audio deep.wav "$tone:s=48000:d=5" -c:a pcm_s24le
make_audio tone.flac "$tone:s=44100:d=5"
make_audio tone.ogg "$tone|$sum:s=44100:d=5" -c:a libvorbis -b:a 128k
make_audio quality.ogg "$tone|$sum:s=44100:d=5" -c:a libvorbis -q:a 6
make_audio tone.mp3 "$tone:s=44100:d=5" -b:a 192k
make_audio vbr.mp3 "$tone:s=44100:d=5" -q:a 2
make_audio tone.opus "$tone:s=48000:d=5" -c:a libopus -b:a 96k

# --- what is good ---
check 'eight formats are good' 0 '("passed":true.*){9}' '' -- "$verify" tone.wav float.wav deep.wav tone.flac tone.ogg quality.ogg tone.mp3 vbr.mp3 tone.opus
check '--input is the same as an argument' 0 '"input":"tone.wav","kind":"audio","passed":true' '' -- "$verify" --input tone.wav
check 'all that a WAV is expected to be' 0 '"passed":true' '' -- "$verify" tone.wav --expect-duration 5 --expect-rate 32000 --expect-channels 1 --expect-codec wav --expect-bitrate 512k
check 'all that an OGG is expected to be' 0 '"passed":true' '' -- "$verify" tone.ogg --expect-duration 5 --expect-rate 44100 --expect-channels 2 --expect-codec ogg --expect-bitrate 128k
check 'all that an MP3 is expected to be' 0 '"passed":true' '' -- "$verify" tone.mp3 --expect-duration 5 --expect-rate 44100 --expect-channels 1 --expect-codec mp3 --expect-bitrate 192000
check 'all that an Opus file is expected to be' 0 '"passed":true' '' -- "$verify" tone.opus --expect-duration 5 --expect-rate 48000 --expect-codec opus --expect-bitrate 96k
check "ffmpeg's name of a codec" 0 '"passed":true' '' -- "$verify" deep.wav --expect-codec pcm_s24le

# --- what the file is ---
for kind in wav flac ogg mp3 opus; do
    cut_short tone.$kind cut.$kind
    check "a truncated $kind" 1 '"check":"decode","blames":"file","status":"failed"' "^verify: 'cut\.$kind' " -- "$verify" cut.$kind
    that "which one line says: $kind" test "$(wc -l <"$ERR")" -eq 1
done
echo 'once upon a time' >text.wav
: >empty.mp3
check 'text called .wav' 1 '"status":"done".*"passed":false' "^verify: 'text.wav' is no" -- "$verify" text.wav
check 'an empty file' 1 '"passed":false' "^verify: 'empty.mp3' is empty" -- "$verify" empty.mp3
check 'a missing file could not be checked' 1 '"status":"failed","error":.*"input":"nowhere.wav"' "^verify: cannot open 'nowhere.wav': No such file or directory" -- "$verify" nowhere.wav
check 'a folder could not be checked' 1 '"status":"failed"' 'no regular file' -- "$verify" .
mkfifo pipe
check 'a pipe is not waited for' 1 '"status":"failed"' 'no regular file' -- timeout 10 "$verify" pipe
check 'a wrong rate' 1 '"check":"rate","blames":"file","status":"failed","value":32000,"expected":44100,"unit":"Hz"' "^verify: 'tone.wav': sample rate is 32000, expected 44100$" -- "$verify" tone.wav --expect-rate 44100
check 'wrong channels' 1 '"check":"channels","blames":"file","status":"failed","value":1,"expected":2' 'channels are 1, expected 2' -- "$verify" tone.wav --expect-channels 2
check 'a wrong codec' 1 '"check":"codec","blames":"file","status":"failed","value":"opus","expected":"ogg"' 'codec is opus in ogg, expected ogg' -- "$verify" tone.opus --expect-codec ogg
check 'a wrong bit rate' 1 '"check":"bitrate","blames":"file","status":"failed","value":192000,"expected":128000' 'bit rate is 192000, expected 128000 within 5 %' -- "$verify" tone.mp3 --expect-bitrate 128k
check 'a wrong bit rate where it varies' 1 '"check":"bitrate"[^}]*"failed"' 'expected 32000, half or twice' -- "$verify" tone.opus --expect-bitrate 32k
check 'a wrong duration' 1 '"check":"duration","blames":"file","status":"failed","value":5,"expected":6,"unit":"s"' 'duration is 5 s, expected 6 s within 0.1 s' -- "$verify" tone.mp3 --expect-duration 6
check 'a wrong duration that is tolerated' 0 '"passed":true' '' -- "$verify" tone.mp3 --expect-duration 6 --duration-tolerance 1

# --- what it sounds like ---
failed() { echo "\"check\":\"$1\",\"blames\":\"sound\",\"status\":\"failed\""; }
make_audio silent.flac 'anullsrc=r=32000:cl=mono:d=1'
check 'silence' 1 "$(failed silence)" "^verify: 'silent.flac': silent throughout, 1 s" -- "$verify" silent.flac
make_audio gap.ogg "$tone:s=44100:d=6" -af "volume=0:enable='between(t,2,4.5)'" -c:a libvorbis
check 'a long silence' 1 "$(failed silence)" 's of silence from 2[0-9.]* s, at most 2 s allowed' -- "$verify" gap.ogg
check 'a long silence that is allowed' 0 '"passed":true' '' -- "$verify" gap.ogg --max-silence 3
make_audio collapse.mp3 "$tone:s=44100:d=6" -af "volume=0:enable='gte(t,3)'"
check 'a collapse to silence' 1 "$(failed collapse)" "^verify: 'collapse.mp3': collapses to silence: the last [0-9.]+ s are silent" -- "$verify" collapse.mp3
make_audio clipped.wav "$tone:s=32000:d=5" -af volume=12dB
make_audio clipped.mp3 "$tone:s=44100:d=5" -af volume=12dB -b:a 128k
make_audio over.wav "$tone:s=32000:d=5" -af volume=12dB -c:a pcm_f32le
for file in clipped.wav clipped.mp3 over.wav; do
    check "clipping: $file" 1 "$(failed clipping)" "^verify: '$file': clipped: [0-9]+ samples at full scale, first at 0[0-9.]* s" -- "$verify" $file
done
make_audio offset.wav "aevalsrc=0.3+0.4*sin(2*PI*440*t):s=32000:d=5"
check 'a DC offset' 1 "$(failed dc)" 'DC offset is 0.3 of full scale, at most 0.1 allowed' -- "$verify" offset.wav
make_audio held.wav "aevalsrc=if(between(t\,1\,2)\,0.09\,0.4*sin(2*PI*440*t)):s=32000:d=5"
check 'a held value' 1 "$(failed stuck)" 'stuck: one value is held for 1 s from 1 s on' -- "$verify" held.wav
cp float.wav nan.wav
printf '\377\377\377\377\377\377\377\377' | dd of=nan.wav bs=1 seek=2000 conv=notrunc status=none
check 'NaN in a float WAV' 1 '"check":"finite","blames":"file","status":"failed","value":[1-3],' 'samples that are not finite numbers: [1-3]$' -- "$verify" nan.wav
check 'a loudness that is off' 1 '"check":"loudness","blames":"file","status":"failed"' 'loudness is -[0-9.]+ LUFS, expected -20 within 0.5' -- "$verify" tone.wav --expect-loudness -20
check 'a loudness that is tolerated' 0 '"passed":true' '' -- "$verify" tone.wav --expect-loudness -14 --loudness-tolerance 6
check 'a true peak that is over' 1 '"check":"true-peak","blames":"file","status":"failed"' 'true peak is -[0-9.]+ dBTP, at most -6 allowed' -- "$verify" tone.wav --max-true-peak -6
check 'more than three faults' 1 '"passed":false' '; and 1 more$' -- "$verify" tone.wav --expect-rate 1 --expect-channels 3 --expect-duration 1 --expect-codec opus
make_audio surround.flac "$tone|$sum|$sum|$sum|$sum|$sum:s=48000:d=2"
check 'surround sound is checked' 0 '"passed":true' '' -- "$verify" surround.flac
check 'but its loudness cannot be' 1 '"check":"loudness","blames":"file","status":"failed"' 'cannot measure the loudness of 6 channels' -- "$verify" surround.flac --expect-loudness -14

# --- tokens ---
write_tokens() { # FILE FRAMES STEP: 2 codebooks; the code of frame t follows from the one before and STEP
    local header code=1 t data=''
    header="{\"__metadata__\":{\"format\":\"leitmotif.tokens/1\",\"recipe\":\"{\\\"frame_rate\\\":50}\"},\"codes\":{\"dtype\":\"I32\",\"shape\":[2,$2],\"data_offsets\":[0,$((8 * $2))]}}"
    for ((t = 0; t < 2 * $2; t++)); do
        code=$(((code * $3 + 7 * ($3 > 0)) % 251))
        data+=$(printf '\\x%02x\\x00\\x00\\x00' $code)
    done
    { printf "$(printf '\\x%02x\\x%02x\\0\\0\\0\\0\\0\\0' $((${#header} & 255)) $((${#header} >> 8)))"; printf '%s' "$header"; printf "$data"; } >"$1"
}
write_tokens good.safetensors 150 6
write_tokens stuck.safetensors 150 0
check 'good tokens' 0 '"kind":"tokens","passed":true' '' -- "$verify" good.safetensors --expect-duration 3
check 'stuck tokens' 1 "$(failed stuck)" "^verify: 'stuck.safetensors': stuck on one frame for 3 s" -- "$verify" stuck.safetensors
check 'tokens of another duration' 1 '"check":"duration"[^}]*"failed"' 'duration is 3 s, expected 4 s' -- "$verify" good.safetensors --expect-duration 4
cut_short good.safetensors cut.safetensors
check 'truncated tokens' 1 '"check":"decode"[^}]*"failed"' "^verify: 'cut.safetensors'" -- "$verify" cut.safetensors
check 'a codec means nothing to tokens' 2 '.*' "^verify: '--expect-codec' means nothing to 'good.safetensors': it holds tokens, not audio" -- "$verify" good.safetensors --expect-codec mp3
sed 's/leitmotif.tokens/leitmotif.thing_/' good.safetensors >foreign.safetensors
check 'a foreign safetensors file' 1 '"kind":"stage","passed":false' "leitmotif.thing_/1" -- "$verify" foreign.safetensors

# --- reports and jobs ---
check 'a report' 1 '"passed":false' 'codec' -- "$verify" tone.mp3 --expect-codec flac --report report.json
that 'the report says the same' grep -q '"passed": false' report.json
check 'a report that cannot be written' 1 '"status":"failed"' "'nowhere/report.json'" -- "$verify" tone.mp3 --report nowhere/report.json
check 'a report on a full disk' 1 '"status":"failed"' '/dev/full' -- "$verify" tone.mp3 --report /dev/full
check 'a report does not replace the input' 2 '' "'\./tone\.mp3' cannot be both input and output" -- "$verify" tone.mp3 --report ./tone.mp3
check 'one bad file of several' 1 '"input":"tone.wav".*"passed":true.*"input":"silent.flac".*"passed":false.*"input":"tone.mp3".*"passed":true' "^verify: 'silent.flac': silent throughout, 1 s$" -- "$verify" tone.wav silent.flac tone.mp3
cat >jobs.jsonl <<'END'
{"input": "tone.mp3", "expect-duration": 5, "expect-codec": "mp3", "expect-bitrate": "192k", "report": "one.json"}
{"input": "tone.ogg", "expect-bitrate": 128000, "expect-rate": 22050}
{"input": "nowhere.wav"}
END
check 'jobs tell bad from unchecked' 1 '"job":1,"output":"one.json","status":"done".*"passed":true.*"job":2,"status":"done".*"passed":false.*"job":3,"status":"failed","error"' "nowhere.wav" -- "$verify" --jobs jobs.jsonl
that "a job's report" grep -q '"passed": true' one.json
echo '{"input": "tone.mp3", "expect-bitrat": 1}' >typo.jsonl
check 'an unknown key' 2 '' "unknown key 'expect-bitrat' \(did you mean 'expect-bitrate'\?\)" -- "$verify" --jobs typo.jsonl

# --- misuse ---
check 'no file' 2 '' 'no file to check' -- "$verify"
check 'an unknown flag' 2 '' '--expect-codek' -- "$verify" tone.wav --expect-codek mp3
check 'a later feature is no flag yet' 2 '' '--loop' -- "$verify" tone.wav --loop
for value in 0 -1 nan 5x ''; do
    check "a duration of '$value'" 2 '' "'--expect-duration'" -- "$verify" tone.wav --expect-duration "$value"
done
for value in 0 192 -1 192kk nan ''; do
    check "a bit rate of '$value'" 2 '' "'--expect-bitrate' cannot be" -- "$verify" tone.wav --expect-bitrate "$value"
done
check 'a tolerance of nothing' 2 '' "'--loudness-tolerance' needs --expect-loudness" -- "$verify" tone.wav --loudness-tolerance 1
check 'a negative tolerance' 2 '' "'--duration-tolerance'" -- "$verify" tone.wav --expect-duration 5 --duration-tolerance -1
check 'help' 0 '--expect-loudness' '' -- "$verify" --help
check 'a full disk on stdout' 1 '' 'cannot write to stdout' -- bash -c '"$0" tone.wav >/dev/full' "$verify"
finish

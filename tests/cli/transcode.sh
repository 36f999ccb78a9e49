#!/usr/bin/env bash
# transcode as a user runs it; ffprobe and ffmpeg are the independent witnesses. SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/lib.sh"
transcode=$BIN/transcode
cd "$WORK" || exit 1

make_audio() { # FILE EXPRESSIONS RATE SECONDS
    ffmpeg -hide_banner -v error -nostdin -y -f lavfi -i "aevalsrc=$2:s=$3:d=$4" -c:a pcm_f32le "$1"
}
probe() { ffprobe -v error -of default=nw=1:nk=1 "$@"; }
stream() { probe -show_entries "stream=$2" "$1"; }                                  # FILE ENTRY
frames() { echo $(($(ffmpeg -v error -nostdin -i "$1" -f f32le - | wc -c) / 4 / $2)); } # FILE CHANNELS
tag() { probe -show_entries "format_tags=$2:stream_tags=$2" "$1"; }                 # FILE KEY
summary() { ffmpeg -nostdin -nostats -hide_banner -i "$1" -af ebur128=peak=true -f null - 2>&1 | awk -v what="$2" '/Summary/ {s = 1} s && $1 == what {print $2}'; }
loudness() { summary "$1" I:; }
true_peak() { summary "$1" Peak:; }
within() { awk -v a="$1" -v b="$2" -v t="$3" 'BEGIN {d = a - b; exit !(a != "" && d <= t && d >= -t)}'; }
at_most() { awk -v a="$1" -v b="$2" 'BEGIN {exit !(a != "" && a + 0 <= b + 0)}'; }
nothing_left() { [ -z "$(find . -name '*.part')" ]; }

tone='0.3*sin(2*PI*220*t)+0.1*sin(2*PI*331*t)'
beat='0.5*exp(-8*mod(t\,0.5))*(random(0)*2-1)+0.2*sin(2*PI*110*t)'
make_audio mono.wav "$tone" 32000 3.00003
make_audio stereo.wav "$tone|$beat" 32000 4
make_audio beat.wav "$beat" 32000 6

# --- every format, to the frame: 3.00003 s at 32000 Hz is 96001 frames ---
check 'all formats from one decode' 0 '' '' -- "$transcode" -i mono.wav -o a.wav -o a24.wav --bits 24 -o a32.wav --bits 32 -o a.flac \
    -o a24.flac --bits 24 -o a.ogg --quality 6 -o a.mp3 --bitrate 192k -o v.mp3 --quality 0 -o a.opus --bitrate 96000
for expected in a.wav:pcm_s16le:32000:96001 a24.wav:pcm_s24le:32000:96001 a32.wav:pcm_f32le:32000:96001 a.flac:flac:32000:96001 \
    a24.flac:flac:32000:96001 a.ogg:vorbis:32000:96001 a.mp3:mp3:32000:96001 v.mp3:mp3:32000:96001 a.opus:opus:48000:144002; do
    IFS=: read -r file codec rate count <<<"$expected"
    that "$file is $codec" [ "$(stream $file codec_name)" = $codec ]
    that "$file has $rate Hz" [ "$(stream $file sample_rate)" = $rate ]
    that "$file is mono" [ "$(stream $file channels)" = 1 ]
    that "$file has $count frames" [ "$(frames $file 1)" = $count ]
done
that 'the mp3 has its bit rate' [ "$(stream a.mp3 bit_rate)" = 192000 ]
that 'the flac has 24 bits' [ "$(stream a24.flac bits_per_raw_sample)" = 24 ]
that 'float is exact' cmp <(ffmpeg -v error -i mono.wav -f f32le -) <(ffmpeg -v error -i a32.wav -f f32le -)
check 'settings before the first output are for all, those after it for it' 0 '' '' -- "$transcode" -i mono.wav --rate 44100 --channels 2 \
    -o b.ogg -o b.mp3 --rate 48000 -o b.flac --channels 1
for expected in b.ogg:44100:2:132301 b.mp3:48000:2:144002 b.flac:44100:1:132301; do
    IFS=: read -r file rate channels count <<<"$expected"
    that "$file: $rate Hz, $channels channels, $count frames" \
        [ "$(stream $file sample_rate):$(stream $file channels):$(frames $file "$channels")" = "$rate:$channels:$count" ]
done
that 'mono released as stereo is two equal channels' cmp <(ffmpeg -v error -i b.ogg -af pan='mono|c0=c0' -f s16le -) <(ffmpeg -v error -i b.ogg -af pan='mono|c0=c1' -f s16le -)
check 'formats read each other' 0 '' '' -- "$transcode" -i v.mp3 -o again.flac
that 'an mp3 is read without its padding' [ "$(frames again.flac 1)" = 96001 ]

# --- the same bytes every time ---
mkdir 1 2
for n in 1 2; do
    check "run $n" 0 '' '' -- "$transcode" -i stereo.wav -o $n/a.wav -o $n/a.flac -o $n/a.ogg --rate 44100 -o $n/a.mp3 -o $n/a.opus \
        --loudness -14 --tag title=Theme --fade-out 0.5
done
for format in wav flac ogg mp3 opus; do that "two runs make the same $format" cmp 1/a.$format 2/a.$format; done

# --- tags ---
check 'tags' 0 '' '' -- "$transcode" -i mono.wav -o t.ogg -o t.mp3 -o t.opus -o t.flac -o t.wav --tag 'title=Thème' --tag artist=Leitmotif --tag 'prompt=a=b; "c"'
for file in t.ogg t.mp3 t.opus t.flac; do
    that "$file has a title" [ "$(tag $file title)" = 'Thème' ]
    that "$file has a key of its own" [ "$(tag $file prompt)" = 'a=b; "c"' ]
    that "$file names no encoder version" sh -c "! strings $file | grep -E 'Lav[fc][0-9]|Lav[fc] [0-9]'"
done
that 'the wav has a title' [ "$(tag t.wav title)" = 'Thème' ]
that 'other keys are in its comment' [ "$(tag t.wav comment)" = 'prompt=a=b; "c"' ]

# --- loudness within 0.5 LU and true peak under the ceiling, as ffmpeg's ebur128 measures (to 0.1) ---
# measured: loudness off by 0.1 at most, true peak -1.0 or below
for pair in beat:-8 mono:-14 stereo:-23; do
    source=${pair%:*} target=${pair#*:}
    check "$source at $target LUFS" 0 '' '' -- "$transcode" -i $source.wav --channels 2 --loudness $target -o l.wav -o l.ogg --rate 44100 \
        -o l.mp3 --bitrate 128k -o l.opus --bitrate 64k
    for file in l.wav l.ogg l.mp3 l.opus; do
        that "$source: $file has $target LUFS (it has $(loudness $file))" within "$(loudness $file)" "$target" 0.3
        that "$source: $file is below -1 dBTP (it has $(true_peak $file))" at_most "$(true_peak $file)" -1
    done
done
check 'a lossy encoder is kept below the ceiling' 0 '' '' -- "$transcode" -i beat.wav --gain 12 --true-peak -3 -o p.wav -o p.mp3 --bitrate 48k -o p.ogg --quality -1
for file in p.wav p.mp3 p.ogg; do that "$file is below -3 dBTP (it has $(true_peak $file))" at_most "$(true_peak $file)" -3; done
check 'gain' 0 '' '' -- "$transcode" -i mono.wav --gain -6 -o g.wav --bits 32
that 'gain is what it says' within "$(loudness g.wav)" "$(awk -v a="$(loudness mono.wav)" 'BEGIN {print a - 6}')" 0.11
check 'what will be clipped is said' 0 '' "'c.wav' has [0-9]+ samples beyond full scale" -- "$transcode" -i mono.wav --gain 12 -o c.wav
make_audio silent.wav 0 32000 1
make_audio short.wav "$tone" 32000 0.3
ffmpeg -v error -f lavfi -i 'aevalsrc=0.3+0.05*sin(2*PI*440*t):d=2:s=32000' -c:a pcm_f32le offset.wav
check 'an offset is taken away before levelling' 0 '' '' -- "$transcode" -i offset.wav --loudness -14 -o centred.flac
that 'the release file has no offset (measured 0.000000)' bash -c "ffmpeg -hide_banner -i centred.flac -af astats -f null - 2>&1 | grep 'DC offset' | tail -1 | grep -qE ' -?0\.0000'"
that 'and needs no limiter to be loud' within "$(loudness centred.flac)" -14 0.11
check 'silence has no loudness' 0 '' "'s.wav' is silent or shorter" -- "$transcode" -i silent.wav --loudness -14 --trim-silence -o s.wav
that 'and stays' [ "$(frames s.wav 1)" = 32000 ]
check 'nor has a moment' 0 '' 'silent or shorter than 0.4 s' -- "$transcode" -i short.wav --loudness -14 -o s.ogg
that 'which is left as it is' [ "$(frames s.ogg 1)" = 9600 ]

# --- fades and silence ---
make_audio padded.wav 'if(between(t\,0.5\,1.5)\,0.5*cos(2*PI*1000*(t-0.5))\,0)' 32000 2
check 'silence is trimmed but for 10 ms' 0 '' '' -- "$transcode" -i padded.wav --trim-silence -o trimmed.wav
that '1 s and twice 10 ms' within "$(frames trimmed.wav 1)" 32640 2
make_audio flat.wav 0.5 32000 2
check 'fades' 0 '' '' -- "$transcode" -i flat.wav --fade-in 1 --fade-out 0.5 -o faded.wav --bits 32
level() { ffmpeg -v error -i "$1" -f f32le - | od -An -tf4 -v -w4 -j$(($2 * 4)) -N4 | tr -d ' '; }
that 'starts at 0' within "$(level faded.wav 0)" 0 1e-6
that 'is half in the middle of the fade' within "$(level faded.wav 16000)" 0.25 1e-4
that 'is whole after it' within "$(level faded.wav 32000)" 0.5 1e-6
that 'ends at 0' within "$(level faded.wav 63999)" 0 1e-6

# --- jobs ---
cat >jobs <<'END'
{"input": "mono.wav", "outputs": [{"file": "j1.ogg", "rate": 44100, "quality": 6, "channels": 2}, {"file": "j1.mp3", "bitrate": "192k"}], "loudness": -16, "true-peak": -1.5, "tag": ["title=x"]}
{"input": "nowhere.wav", "output": "j2.wav"}
{"input": "stereo.wav", "output": ["j3.wav", "j3.flac"], "bits": 24}
END
check 'one bad job of three' 1 '"job":1,"output":"j1.ogg","status":"done".*"loudness":-1[56]\..*"job":2.*"failed".*nowhere.*"job":3.*"done"' \
    "job 2: cannot open 'nowhere.wav'" -- "$transcode" --jobs jobs
that 'the good ones are there' test -s j1.ogg -a -s j1.mp3 -a -s j3.wav -a -s j3.flac
that 'the bad one is not' test ! -e j2.wav
that 'jobs have the settings of their outputs' [ "$(stream j1.ogg sample_rate):$(stream j1.ogg channels):$(stream j3.wav codec_name)" = 44100:2:pcm_s24le ]
echo '{"input": "mono.wav", "outputs": [{"file": "k.ogg", "rat": 44100}]}' >jobs
check 'an unknown key in outputs' 2 '' "unknown key 'rat' in 'outputs' \(did you mean 'rate'\?\)" -- "$transcode" --jobs jobs
printf '%s\n' '{"input": "mono.wav", "output": "k.ogg"}' '{"input": "stereo.wav", "outputs": [{"file": "./k.ogg"}]}' >jobs
check 'two jobs with one output' 2 '' "two results would be written to '.*k.ogg'" -- "$transcode" --jobs jobs
that 'nothing was done' test ! -e k.ogg

# --- misuse ---
refuse() { # NAME PATTERN ARGUMENTS...
    local name=$1 pattern=$2
    shift 2
    check "$name" 2 '' "$pattern" -- "$transcode" "$@"
}
refuse 'no input' "'--input'" -o x.wav
refuse 'no output' "at least one '--output'" -i mono.wav
refuse 'an unknown option' "'--loudnes' \(did you mean 'loudness'\?\)" -i mono.wav -o x.wav --loudnes -14
refuse 'no extension' "'x' has no extension" -i mono.wav -o x
refuse 'an unknown extension' "'.aac' is no format" -i mono.wav -o x.aac
refuse '44100 Hz for opus' 'opus cannot have a rate of 44100 Hz: it takes 8000' -i mono.wav -o x.opus --rate 44100
refuse 'quality of a wav' 'wav has no quality' -i mono.wav -o x.wav --quality 3
refuse 'quality of an opus' 'opus has no quality to choose: give a bit rate' -i mono.wav -o x.opus --quality 3
refuse 'bits of an ogg' 'ogg has no bits' -i mono.wav -o x.ogg --bits 16
refuse 'a setting for all that one does not have' "'x.wav': wav has no quality" -i mono.wav --quality 5 -o x.ogg -o x.wav
refuse 'ogg quality 11' 'must be -1 to 10' -i mono.wav -o x.ogg --quality 11
refuse 'mp3 quality -1' 'must be 0 to 9' -i mono.wav -o x.mp3 --quality -1
refuse 'an mp3 bit rate that there is not' '160, 192' -i mono.wav -o x.mp3 --bitrate 191k
refuse 'a bit rate that is no number' "'--bitrate' cannot be '192kb'" -i mono.wav -o x.mp3 --bitrate 192kb
refuse 'quality and bit rate' 'give one' -i mono.wav -o x.mp3 --bitrate 192k --quality 2
refuse 'three channels' '1 or 2' -i mono.wav -o x.wav --channels 3
refuse 'NaN loudness' "'--loudness' cannot be 'nan'" -i mono.wav -o x.wav --loudness nan
refuse 'loudness above 0' 'at most 0' -i mono.wav -o x.wav --loudness 1
refuse 'gain and loudness' 'exclude' -i mono.wav -o x.wav --loudness -14 --gain 3
refuse 'a fade of nothing' 'above 0' -i mono.wav -o x.wav --fade-in 0
refuse 'a tag without a value' "'--tag' cannot be 'title'" -i mono.wav -o x.wav --tag title
refuse 'a tag twice' "gives 'a' twice" -i mono.wav -o x.wav --tag a=1 --tag a=2
refuse 'input and output in one' "'./mono.wav' cannot be both" -i mono.wav -o ./mono.wav
ln mono.wav other.wav
refuse 'input and output in one, by a link' "'other.wav' cannot be both" -i mono.wav -o other.wav
refuse 'one output twice' "two results would be written" -i mono.wav -o x.wav -o x.wav
that 'nothing was written' test ! -e x.wav -a ! -e x.ogg -a ! -e x.mp3 -a ! -e x.opus

# --- bad input ---
bad() { # NAME PATTERN ARGUMENTS...
    local name=$1 pattern=$2
    shift 2
    check "$name" 1 '' "$pattern" -- "$transcode" "$@"
}
bad 'no such file' "cannot open 'nowhere.wav': No such file" -i nowhere.wav -o x.wav
echo 'this is a text, not a tune' >text.mp3
bad 'a text' "'text.mp3' is no audio file" -i text.mp3 -o x.wav
: >empty.wav
bad 'an empty file' "'empty.wav' is empty" -i empty.wav -o x.wav
for file in a.wav a.flac a.ogg a.mp3 a.opus; do
    head -c $(($(stat -c %s $file) * 7 / 10)) $file >cut.${file#a.}
    bad "a truncated ${file#a.}" "'cut.${file#a.}' is .*truncated" -i cut.${file#a.} -o x.wav -o x.ogg
done
make_audio nan.wav 'if(eq(n\,77)\,0/0\,0.1)' 32000 1
bad 'NaN' "'nan.wav': frame 77 is not a finite number" -i nan.wav -o x.wav
make_audio six.wav '0|0|0|0|0|0' 32000 1
bad 'six channels' "'six.wav' has 6 channels" -i six.wav -o x.wav
bad 'a fade longer than the sound' "'--fade-out' of 9 s is longer" -i mono.wav -o x.wav --fade-out 9
bad 'a folder that is not there' "'nowhere/x.wav'" -i mono.wav -o y.wav -o nowhere/x.wav
ln -s /dev/full full.wav
bad 'a full disk' "full.*No space left" -i mono.wav -o y.ogg -o full.wav
# the second file of two cannot be written whole: neither appears
# shellcheck disable=SC2016
check 'one of two outputs fails' 1 '' "cannot write '.*big.wav': File too large" -- bash -c 'ulimit -f 64; exec "$0" -i mono.wav -o small.ogg -o big.wav' "$transcode"
that 'no output of a failed job is there' test ! -e x.wav -a ! -e x.ogg -a ! -e y.wav -a ! -e small.ogg -a ! -e big.wav
that 'no temporary is left' nothing_left

# --- killed at any moment, no half file ---
for delay in 0.01 0.05 0.1 0.2; do
    timeout -s KILL $delay "$transcode" -i beat.wav -o killed.ogg -o killed.mp3 --loudness -14 2>/dev/null
    rm -f killed.ogg killed.mp3 # a whole one may be there
done
check 'after kill -9 it works and tidies up' 0 '' '' -- "$transcode" -i beat.wav -o killed.ogg -o killed.mp3 --loudness -14
that 'no temporary is left after that' nothing_left
finish

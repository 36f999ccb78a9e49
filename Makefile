# Leitmotif. make: the programs, in build/bin/. make help: the rest.

BUILD     ?= build
SANITIZE  ?=
OPTIMIZE  ?= -O2 -g
BENCH     ?= small
WARNINGS  := -Wall -Wextra -Wpedantic -Wshadow -Werror
MODE      := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all)
CPPFLAGS  += -D_GNU_SOURCE -Itools/lib -Itools
CFLAGS    += -std=c11 $(OPTIMIZE) $(WARNINGS) -Wstrict-prototypes -Wmissing-prototypes -ffp-contract=off $(MODE)
CXXFLAGS  += -std=c++17 $(OPTIMIZE) $(WARNINGS) $(MODE)
LDFLAGS   += $(MODE)
LDLIBS    := -lm -ldl -pthread
# One short line a command; VERBOSE=1 shows the whole.
say        = $(if $(VERBOSE),,@echo '  $1	$2' && )

# The folders stand among the prerequisites so that a file that was removed is missed: their time changes.
objects    = $(patsubst tools/%,$(BUILD)/%.o,$(basename $(wildcard $(foreach folder,$1,tools/$(folder)/*.c tools/$(folder)/*.cc))))
archives   = $(foreach layer,$1,$(BUILD)/lib/$(layer).a)
packages   = $(shell pkg-config --libs $1)

.PHONY: all
all:
# What the functions below add to; variables of the environment with these names are not ours.
PROGRAMS :=
TESTS    :=
FUZZERS  :=

# Layers of tools/lib, lowest first; each may use those before it (tests/include-law holds to it).
LAYERS := base formats cpu libtorch nn
# What each layer's libraries are when a program uses it. formats/audio and formats/loudness are linked where used.
BASE   := jansson popt libcrypto
# Whoever opens a model reads audiocraft's configuration, which is YAML.
MODEL  := yaml-0.1
FILES  := libavformat libavcodec libswresample libavutil
AUDIO  := $(FILES) libebur128

# program NAME, layers highest first, packages: made of tools/NAME/ and those. Unit tests link a program's objects but main.
define program
PROGRAMS += $1
$(BUILD)/bin/$1: $(call objects,$1) $(call archives,$2) tools/$1
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)$(if $(wildcard tools/$1/*.cc),$$(CXX),$$(CC)) $$(LDFLAGS) -o $$@ $$(filter %.o %.a,$$^) $$(call packages,$3) $$(LDLIBS)
endef
$(eval $(call program,encode-text,nn libtorch formats base,$(BASE) $(MODEL) sentencepiece))
$(eval $(call program,encode-audio,nn libtorch cpu formats base,$(BASE) $(MODEL) $(FILES)))
$(eval $(call program,sample-tokens,nn libtorch cpu formats base,$(BASE) $(MODEL)))
$(eval $(call program,decode-audio,nn libtorch cpu formats base,$(BASE) $(MODEL) $(FILES)))
$(eval $(call program,transcode,formats base,$(BASE) $(AUDIO)))
$(eval $(call program,verify,formats base,$(BASE) $(AUDIO)))
$(eval $(call program,fetch-model,formats base,$(BASE) libcurl))
$(eval $(call program,leitmotif,libtorch formats base,$(BASE) $(MODEL)))

# test NAME, objects of programs it links, layers, packages: tests/unit/NAME.c with cmocka.
define unit_test
TESTS += $(BUILD)/tests/$1
$(BUILD)/tests/$1: $(BUILD)/tests/unit/$1.o $(foreach p,$2,$(filter-out %/main.o,$(call objects,$p))) $(call archives,$3)
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)$(if $(filter encode-text,$2),$$(CXX),$$(CC)) $$(LDFLAGS) -o $$@ $$^ $$(call packages,cmocka $4) $$(LDLIBS)
endef
include tests/unit/tests.mk

# fuzzer NAME, layers, packages: tests/fuzz/NAME.c, run by tests/cli/NAME.sh.
define fuzzer
FUZZERS += $(BUILD)/fuzz/$1
$(BUILD)/fuzz/$1: $(BUILD)/tests/fuzz/$1.o $(call archives,$2)
	@mkdir -p $$(@D)
	$$(CC) $$(LDFLAGS) -o $$@ $$^ $$(call packages,$3) $$(LDLIBS)
endef
$(eval $(call fuzzer,fuzz-formats,formats base,$(BASE) $(MODEL)))

# The fake GPU (tests/fake-gpu/README.md): libraries around an installed libtorch for CPUs; without one the last is not made.
FAKE_GPU   := $(BUILD)/fake-gpu
FAKE_REAL  := $(firstword $(wildcard $(addsuffix /torch/lib/libtorch_cpu.so,$(shell cat libtorch.path /opt/leitmotif/libtorch.path 2>/dev/null))))
FAKE_REAL  := $(if $(wildcard $(FAKE_REAL:%_cpu.so=%_cuda.so)),,$(FAKE_REAL))
FAKES      := $(FAKE_GPU)/libcuda.so.1 $(FAKE_GPU)/libnvidia-ml.so.1 $(if $(FAKE_REAL),$(FAKE_GPU)/libtorch.so $(FAKE_GPU)/libtorch_cuda.so)
fake_part   = $(BUILD)/tests/fake-gpu/$1.o
$(BUILD)/tests/fake-gpu/%.o: CFLAGS += -fPIC -fvisibility=hidden
$(FAKE_GPU)/libcuda.so.1: $(call fake_part,driver) $(call fake_part,settings)
$(FAKE_GPU)/libnvidia-ml.so.1: $(call fake_part,management) $(call fake_part,settings)
$(FAKE_GPU)/libtorch.so: $(filter-out $(call fake_part,driver) $(call fake_part,management),$(patsubst tests/%.c,$(BUILD)/tests/%.o,$(wildcard tests/fake-gpu/*.c)))
$(FAKE_GPU)/libtorch.so: LINKED = -Wl,--no-as-needed,-rpath,$(dir $(FAKE_REAL)) -Wl,--allow-shlib-undefined $(FAKE_REAL) $(LDLIBS)
$(FAKE_GPU)/libtorch.so: $(wildcard libtorch.path /opt/leitmotif/libtorch.path)
$(FAKE_GPU)/libtorch_cuda.so: # by its name alone the programs know a libtorch for GPUs before they open it
	@mkdir -p $(@D) && ln -sf libtorch.so $@
$(FAKE_GPU)/scenarios: $(BUILD)/tests/fake-gpu/scenarios/main.o $(call archives,libtorch base)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -o $@ $^ $(call packages,jansson popt libcrypto) $(LDLIBS)
$(FAKE_GPU)/lib%:
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(LDFLAGS) -shared -o $@ $(filter %.o,$^) $(LINKED)

# bench program NAME, programs whose objects (but main) it links, layers, packages, single objects: made of bench/NAME/ and those.
define bench_program
BENCHES += $(BUILD)/bench/$1
$(BUILD)/bench/$1: $(patsubst bench/%.c,$(BUILD)/bench/objects/%.o,$(wildcard bench/$1/*.c)) $(foreach p,$2,$(filter-out %/main.o,$(call objects,$p))) $(5:%=$(BUILD)/%.o) $(call archives,$3) bench/$1
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)$$(CC) $$(LDFLAGS) -o $$@ $$(filter %.o %.a,$$^) $$(call packages,$4) $$(LDLIBS)
endef
$(eval $(call bench_program,make-model,,nn formats base,$(BASE) $(MODEL)))
$(eval $(call bench_program,sample,sample-tokens,nn libtorch cpu formats base,$(BASE) $(MODEL)))
# It times the product's own waiting for a GPU: bench/sample/waits.h.
$(BUILD)/bench/sample: LDFLAGS += -Wl,--wrap=device_wait,--wrap=tensor_read,--wrap=tensor_copy
$(eval $(call bench_program,int8,sample-tokens,nn libtorch cpu formats base,$(BASE) $(MODEL)))
$(eval $(call bench_program,plans,,nn libtorch formats base,$(BASE) $(MODEL),encode-text/t5 decode-audio/geometry encode-audio/geometry))

all: $(PROGRAMS:%=$(BUILD)/bin/%)
.PHONY: tests
tests: all $(TESTS) $(FUZZERS) $(BENCHES) $(FAKES) $(FAKE_GPU)/scenarios

$(foreach layer,$(LAYERS),$(eval $(BUILD)/lib/$(layer).a: $(call objects,lib/$(layer)) tools/lib/$(layer)))
$(BUILD)/lib/%.a:
	@mkdir -p $(@D)
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $(filter %.o,$^)

# The kernels of each instruction set, chosen at run time.
$(BUILD)/lib/cpu/kernels-avx2.o $(BUILD)/lib/cpu/kernels-avx2-vnni.o: CFLAGS += -mavx2 -mfma -mf16c
$(BUILD)/lib/cpu/kernels-avx2-vnni.o: CFLAGS += -mavxvnni
$(BUILD)/lib/cpu/kernels-avx512.o $(BUILD)/lib/cpu/kernels-avx512-vnni.o: CFLAGS += -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512vl -mavx512dq
$(BUILD)/lib/cpu/kernels-avx512-vnni.o: CFLAGS += -mavx512vnni

$(BUILD)/%.o: tools/%.c
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/%.o: tools/%.cc
	@mkdir -p $(@D)
	$(call say,CXX,$@)$(CXX) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/bench/objects/%.o: bench/%.c
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
-include $(wildcard $(BUILD)/*/*.d $(BUILD)/lib/*/*.d $(BUILD)/tests/unit/*.d $(BUILD)/tests/fake-gpu/*.d $(BUILD)/tests/fake-gpu/scenarios/*.d $(BUILD)/bench/objects/*/*.d)

.PHONY: demo bench clean help
demo: all ## render pipelines/demo.yaml with the demo model and say where the page is
	@$(BUILD)/bin/leitmotif render pipelines/demo.yaml
bench: all $(BENCHES) ## measure this machine, or a GPU with DEVICE=cuda (BENCH="small medium large": which shapes): docs/performance.md
	@BUILD='$(BUILD)' bench/run $(if $(DEVICE),--device '$(DEVICE)') $(BENCH)
clean: ## remove everything that was built
	rm -rf $(BUILD)
help: ## this list
	@printf 'make              the programs, in %s/bin/\n' '$(BUILD)'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "make %-12s %s\n", $$1, $$2}'
	@printf 'settings: CC CXX BUILD OPTIMIZE SANITIZE (address,undefined or thread) VERBOSE BENCH, e.g. make CC=clang BUILD=build/clang\n'

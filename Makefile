# SPDX-License-Identifier: Apache-2.0
# The menu. Meson builds (meson.build); the programs behind it are in tools/.

build/neurald: always
	@tools/install-dependencies build
	@test -f build/build.ninja || meson setup build
	@ninja -C build neurald
always:

help:            ## this list
	@echo '  make            builds build/neurald, installing what is missing'
	@sed -n 's/^\([a-z]*\):[^#]*## /  make \1\t/p' Makefile | expand -t 18

demo:            ## learn, train and score real mail; figures and a report
	@tools/install-dependencies demo
	@$(MAKE) --no-print-directory build/neurald
	@tools/demo

check:           ## every test, sanitizer and check; ends with the count
	@tools/install-dependencies check
	@tools/check

sanitize:        ## the C tests under ASan, UBSan and TSan
	@tools/install-dependencies check
	@tools/check asan tsan

fuzz:            ## each fuzz target for FUZZ_SECONDS (default 300)
	@tools/install-dependencies check
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-300} tools/check fuzz

soak:            ## what takes too long for check: faults, searches
	@tools/install-dependencies check
	@$(MAKE) --no-print-directory build/neurald
	@tools/soak

bench:           ## speed, beside the peers
	@tools/install-dependencies bench
	@$(MAKE) --no-print-directory build/neurald
	@tools/bench

format:          ## clang-format on every C file
	@tools/install-dependencies check
	@git ls-files -co --exclude-standard '*.[ch]' | xargs clang-format-14 -i

install: build/neurald  ## into the prefix, or under DESTDIR
	@ninja -C build installed
	@meson install -C build --no-rebuild

.PHONY: always help demo check sanitize fuzz soak bench format install

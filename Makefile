# SPDX-License-Identifier: MIT
# For hands that type make. Meson builds; ./dev installs packages and knows more (./dev --help).

all: build/build.ninja
	ninja -C build

build/build.ninja:
	meson setup build -Dtests=false

check:
	./dev check

install: all
	meson install -C build --no-rebuild

clean:
	rm -rf build build-asan build-clang build-fuzz

.PHONY: all check install clean

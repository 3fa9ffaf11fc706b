# din-core for a Makefile: builds the static library with cargo, and says what to compile and link with.
#
#     include path/to/din-core/ffi/din.mk
#     program: program.c $(DIN_LIBRARY)
#     	$(CC) $(DIN_CFLAGS) program.c $(DIN_LIBRARY) $(DIN_LIBS) -o program
#
# To set before: DIN_TARGET, the Rust target of a device (thumbv6m-none-eabi, thumbv7m-none-eabi, thumbv7em-none-eabihf,
# thumbv8m.main-none-eabihf, riscv32imc-unknown-none-elf); none for this machine. DIN_FEATURES: features of din-ffi, see its
# Cargo.toml. DIN_OPT_LEVEL: s (what devices get) to 3. With DIN_DEVICE_TOOLCHAIN=debian devices are built for by Debian's
# rustc-web, with the sources of core in rust-web-src, where rustup cannot fetch a target.
#
# `make -f din.mk din-install PREFIX=/usr/local` installs library, header and din.pc, for pkg-config.

DIN_FFI := $(dir $(lastword $(MAKEFILE_LIST)))
# What `make` alone makes is for the Makefile to say that includes this.
DIN_DEFAULT_GOAL := $(.DEFAULT_GOAL)
DIN_BUILD ?= $(or $(CARGO_TARGET_DIR),$(DIN_FFI)../../target)
DIN_CFLAGS := -I$(DIN_FFI)include

ifeq ($(DIN_TARGET),)
DIN_PROFILE ?= release
DIN_CARGO ?= cargo
# What the Rust standard library needs: rustc --print native-static-libs.
DIN_LIBS := -lgcc_s -lutil -lrt -lpthread -lm -ldl -lc
else
DIN_PROFILE ?= device
DIN_FLAGS := --target $(DIN_TARGET)
DIN_LIBS :=
ifeq ($(DIN_DEVICE_TOOLCHAIN),debian)
DIN_CARGO ?= RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 /usr/bin/cargo
DIN_FLAGS += -Zbuild-std=core
else
DIN_CARGO ?= cargo
endif
endif
ifneq ($(DIN_FEATURES),)
DIN_FLAGS += --features $(DIN_FEATURES)
endif
ifneq ($(DIN_OPT_LEVEL),)
DIN_ENV := CARGO_PROFILE_$(if $(filter device,$(DIN_PROFILE)),DEVICE,RELEASE)_OPT_LEVEL=$(DIN_OPT_LEVEL)
endif

DIN_LIBRARY := $(DIN_BUILD)/$(if $(DIN_TARGET),$(DIN_TARGET)/)$(DIN_PROFILE)/libdin_ffi.a
DIN_VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' $(DIN_FFI)../../Cargo.toml)

# cargo knows what changed. It optimises across crates only what is a static library and nothing else.
$(DIN_LIBRARY): din-build
	@:

.PHONY: din-build din-install
din-build:
	cd $(DIN_FFI) && CARGO_TARGET_DIR=$(abspath $(DIN_BUILD)) $(DIN_ENV) \
		$(DIN_CARGO) rustc -p din-ffi --crate-type staticlib --profile $(DIN_PROFILE) $(DIN_FLAGS)

PREFIX ?= /usr/local
din-install: $(DIN_LIBRARY)
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include
	install -m 644 $(DIN_LIBRARY) $(DESTDIR)$(PREFIX)/lib
	install -m 644 $(DIN_FFI)include/din.h $(DESTDIR)$(PREFIX)/include
	sed -e 's|@prefix@|$(PREFIX)|; s|@version@|$(DIN_VERSION)|; s|@libs@|$(DIN_LIBS)|' $(DIN_FFI)din.pc.in \
		> $(DESTDIR)$(PREFIX)/lib/pkgconfig/din.pc

.DEFAULT_GOAL := $(DIN_DEFAULT_GOAL)

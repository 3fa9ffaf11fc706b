# din-core for CMake: the target `din`, built with cargo when a program that links it is.
#
#     include(path/to/din-core/ffi/din.cmake)
#     target_link_libraries(program PRIVATE din)
#
# To set before: DIN_TARGET, the Rust target of a device (thumbv6m-none-eabi, thumbv7m-none-eabi, thumbv7em-none-eabihf,
# thumbv8m.main-none-eabihf, riscv32imc-unknown-none-elf); none for this machine. DIN_FEATURES: features of din-ffi, see its
# Cargo.toml.
#
# With DIN_DEVICE_TOOLCHAIN=debian in the environment devices are built for by Debian's rustc-web.

get_filename_component(DIN_FFI "${CMAKE_CURRENT_LIST_DIR}" ABSOLUTE)
set(DIN_BUILD "${CMAKE_BINARY_DIR}/din" CACHE PATH "Where cargo builds din-core")
set(DIN_FLAGS "")
set(DIN_CARGO cargo)
if(DIN_TARGET)
    set(DIN_PROFILE device)
    list(APPEND DIN_FLAGS --target ${DIN_TARGET})
    if("$ENV{DIN_DEVICE_TOOLCHAIN}" STREQUAL "debian")
        set(DIN_CARGO ${CMAKE_COMMAND} -E env RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 /usr/bin/cargo)
        list(APPEND DIN_FLAGS -Zbuild-std=core)
    endif()
else()
    set(DIN_PROFILE release)
endif()
if(DIN_FEATURES)
    list(APPEND DIN_FLAGS --features ${DIN_FEATURES})
endif()
set(DIN_LIBRARY "${DIN_BUILD}/${DIN_TARGET}/${DIN_PROFILE}/libdin_ffi.a")

# cargo knows what changed, so it is asked at each build. It optimises across crates only what is a static library and
# nothing else.
add_custom_target(din-build
    COMMAND ${DIN_CARGO} rustc -p din-ffi --crate-type staticlib --profile ${DIN_PROFILE} --target-dir ${DIN_BUILD} ${DIN_FLAGS}
    WORKING_DIRECTORY ${DIN_FFI}
    BYPRODUCTS ${DIN_LIBRARY}
    VERBATIM)

add_library(din STATIC IMPORTED GLOBAL)
add_dependencies(din din-build)
set_target_properties(din PROPERTIES
    IMPORTED_LOCATION ${DIN_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES "${DIN_FFI}/include")
if(NOT DIN_TARGET)
    # What the Rust standard library needs: rustc --print native-static-libs.
    set_property(TARGET din PROPERTY INTERFACE_LINK_LIBRARIES gcc_s util rt pthread m dl c)
endif()

/* The file MODEL in constant memory, where a large processor reads it fastest. With a linker script of your own it may as
 * well be a section of its own, or an address that a bootloader writes to. */
    .section .rodata.din_blob, "a"
    .balign 64
    .global din_blob
din_blob:
    .incbin MODEL
    .global din_blob_end
din_blob_end:
    .byte 0

#if defined(__linux__) && defined(__ELF__)
    .section .note.GNU-stack, "", %progbits
#endif

/* The least that a Cortex-M needs before main: a vector table, copied data, cleared memory, the FPU switched on. A project
 * has its own. Output is semihosting (newlib's rdimon), whose stack pointer and exit code come from here, too. */
#include <stdint.h>
#include <stdlib.h>

extern uint32_t stack_top[], data_start[], data_end[], data_load[], bss_start[], bss_end[];
extern void initialise_monitor_handles(void);
extern int main(void);

void reset(void);
void stop(void);

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*handlers[15])(void);
} vectors = { stack_top, { reset, stop, stop, stop, stop, stop } };

/* A fault: the emulator is told to end, with an error. */
void stop(void) {
    /* SYS_EXIT, ADP_Stopped_InternalError */
    register uint32_t operation __asm__("r0") = 0x18;
    register uint32_t reason __asm__("r1") = 0x20024;
    __asm__ volatile("bkpt 0xab" : : "r"(operation), "r"(reason) : "memory");
    for (;;) {}
}

void reset(void) {
    uint32_t *from = data_load, *to;
    for (to = data_start; to < data_end;) *to++ = *from++;
    for (to = bss_start; to < bss_end;) *to++ = 0;
#ifdef __ARM_FP
    /* CPACR: full access to coprocessors 10 and 11. */
    *(volatile uint32_t *)0xe000ed88u |= 0xfu << 20;
    __asm__ volatile("dsb\n isb");
#endif
    initialise_monitor_handles();
    exit(main());
}

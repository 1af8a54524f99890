//! Where the kernel puts programs, libraries and stacks: at the same addresses each time.
//!
//! Invariant: it holds for what the calling process turns into and for its children, and for nobody else.

/// Asks for fixed addresses from the next program on; whether the kernel lets this process. Containers may forbid it.
#[expect(unsafe_code, reason = "no library sets a persona without taking the calling process's other flags")]
pub fn fix_addresses() -> bool {
    const ASK: libc::c_ulong = 0xffff_ffff;
    // SAFETY: the call reads and writes numbers of this process only.
    let persona = unsafe { libc::personality(ASK) };
    let Ok(persona) = libc::c_ulong::try_from(persona) else { return false };
    // SAFETY: as above; the flag bears on programs that are started from here on.
    let before = unsafe { libc::personality(persona | libc::ADDR_NO_RANDOMIZE as libc::c_ulong) };
    before >= 0
}

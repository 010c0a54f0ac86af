//! The sockets that launchd listens on for this process (launch_activate_socket(3), xpc/launch.h). Knows nothing of what
//! they are for; where there is no launchd, there are none.

use std::{ffi::CStr, io, os::fd::OwnedFd};

/// The sockets of this name in the property list (`Sockets`). None: launchd did not start this process, or its list has no such name.
///
/// The descriptors are handed over once: whoever asks again is refused (`EALREADY`).
pub fn sockets(name: &CStr) -> io::Result<Vec<OwnedFd>> {
    system::sockets(name)
}

#[cfg(target_os = "macos")]
mod system {
    use std::{
        ffi::{CStr, c_char, c_int, c_void},
        io,
        os::fd::{FromRawFd as _, OwnedFd},
        ptr,
    };

    /// errno.h: no such socket in the list.
    const ENOENT: c_int = 2;
    /// errno.h: this process is none of launchd's.
    const ESRCH: c_int = 3;

    // Both are in libSystem, which everything is linked with.
    #[expect(unsafe_code, reason = "launchd is asked in C alone")]
    unsafe extern "C" {
        fn launch_activate_socket(name: *const c_char, fds: *mut *mut c_int, count: *mut usize) -> c_int;
        fn free(memory: *mut c_void);
    }

    #[expect(unsafe_code, reason = "launchd is asked in C alone")]
    pub(super) fn sockets(name: &CStr) -> io::Result<Vec<OwnedFd>> {
        let mut fds: *mut c_int = ptr::null_mut();
        let mut count = 0_usize;
        // SAFETY: the name ends with a NUL, and both places are ours for the time of the call.
        let error = unsafe { launch_activate_socket(name.as_ptr(), &raw mut fds, &raw mut count) };
        match error {
            0 if fds.is_null() => return Ok(Vec::new()),
            0 => {}
            ENOENT | ESRCH => return Ok(Vec::new()),
            // It is what the call returned, not what it left in errno.
            _ => return Err(io::Error::from_raw_os_error(error)),
        }
        // SAFETY: after success `fds` is an array of `count` open descriptors that nobody else has, made by malloc.
        let owned = unsafe {
            let numbers = std::slice::from_raw_parts(fds, count);
            let owned = numbers
                .iter()
                .map(|number| OwnedFd::from_raw_fd(*number))
                .collect();
            free(fds.cast());
            owned
        };
        Ok(owned)
    }
}

#[cfg(not(target_os = "macos"))]
mod system {
    use std::{ffi::CStr, io, os::fd::OwnedFd};

    #[expect(clippy::unnecessary_wraps, reason = "as where there is launchd")]
    pub(super) fn sockets(_name: &CStr) -> io::Result<Vec<OwnedFd>> {
        Ok(Vec::new())
    }
}

//! Files of PyTorch's own, which are told from others so that their owners are told what to do.

/// Why a file that begins so is not read, if it is one that `torch.save` wrote: a zip archive of pickled objects or, in its
/// old form, pickled objects alone. To unpickle is to run a program, which nobody should do for a stranger.
pub fn refusal(start: &[u8]) -> Option<&'static str> {
    /// The first member of the archive, in a folder of any name.
    const MEMBER: &[u8] = b"/data.pkl";
    /// What stands before its name, and the longest name looked at.
    const HEADER: usize = 30 + 255;
    /// A pickle of the second version that begins with a number of ten bytes.
    const OLD: &[u8] = &[0x80, 2, 0x8a, 10];
    let header = &start[..start.len().min(HEADER)];
    let is_archive = start.starts_with(b"PK") && header.windows(MEMBER.len()).any(|part| part == MEMBER);
    (is_archive || start.starts_with(OLD)).then_some(
        "expected a safetensors file, found a checkpoint of PyTorch: in Python, \
         `safetensors.torch.save_file(model.state_dict(), \"net.safetensors\")` writes its weights as one",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_told_from_other_files() {
        let archive = |member: &str| [b"PK\x03\x04", &[0; 26][..], member.as_bytes(), b"\x80\x02}q\x00."].concat();
        assert!(refusal(&archive("resnet18-f37072fd/data.pkl")).is_some());
        assert!(refusal(b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.").is_some());
        let far = format!("{}/data.pkl", "x".repeat(1000));
        for other in
            [&archive("fc1.weight.npy")[..], &archive(&far), b"PK", b"", b"\x80\x02\x8a", b"\x08\0\0\0\0\0\0\0{}"]
        {
            assert_eq!(refusal(other), None, "{other:?}");
        }
    }
}

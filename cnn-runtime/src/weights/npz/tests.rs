use std::fs::File;

use super::*;
use crate::cnn;
use crate::network::Network;
use crate::weights::Weights;

cnn! {
    #[derive(Clone, Debug, PartialEq)]
    Net <2x8x8> -> conv(17, 3x3) -> bn -> relu -> fc(3)
}

/// An archive of members with these contents, deflated or not.
fn archive(members: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        archive.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn npy(text: &str, data: &[u8]) -> Vec<u8> {
    [b"\x93NUMPY\x01\0", &(text.len() as u16).to_le_bytes()[..], text.as_bytes(), data].concat()
}

fn refusal(members: &[(&str, &[u8])]) -> String {
    Weights::from_bytes(archive(members, CompressionMethod::Stored)).unwrap_err().to_string()
}

#[test]
fn what_is_saved_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.npz");
    let net = Net::new(3);
    net.save(&path).unwrap();
    assert!(std::fs::read(&path).unwrap().starts_with(b"PK"));
    let mut loaded = Net::new(4);
    loaded.load(&path).unwrap();
    assert_eq!(loaded, net);
    let mut names: Vec<_> = ZipArchive::new(File::open(&path).unwrap())
        .unwrap()
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .collect();
    names.truncate(2);
    assert_eq!(names, ["conv1.weight.npy", "bn1.weight.npy"]);
    let again = folder.path().join("again.npz");
    net.save(&again).unwrap();
    assert_eq!(std::fs::read(path).unwrap(), std::fs::read(again).unwrap());
}

#[test]
fn arrays_of_either_order_and_packing_are_read() {
    let numbers: Vec<u8> = (0..6u8).flat_map(|number| f64::from(number).to_le_bytes()).collect();
    let rows = npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", &numbers);
    let columns = npy("{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }", &numbers);
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let file = Weights::from_bytes(archive(&[("a.npy", &rows), ("b/c.npy", &columns)], method)).unwrap();
        assert_eq!(file.tensor("a").unwrap(), ndarray::arr2(&[[0., 1., 2.], [3., 4., 5.]]).into_dyn());
        assert_eq!(file.tensor("b/c").unwrap(), ndarray::arr2(&[[0., 2., 4.], [1., 3., 5.]]).into_dyn());
    }
}

#[test]
fn says_what_is_wrong() {
    assert!(Weights::from_bytes(*b"PK\x03\x04").unwrap_err().to_string().contains("expected an npz file: "));
    assert!(refusal(&[("a.txt", b"")]).contains("expected members that end in .npy, found `a.txt`"));
    assert!(refusal(&[("a.npy", b"text")]).contains("`a.npy`: expected an npy array"));
    let claims = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }", &[0; 4]);
    assert!(refusal(&[("a.npy", &claims)]).contains("not as long as its header says"));
    let claims = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 9, 9), }", &[0; 4]);
    assert!(refusal(&[("a.npy", &claims)]).contains("not as long as its header says"));
}

#[test]
fn damaged_numbers_are_found_and_leave_the_network_as_it_is() {
    let array = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", &[9; 12]);
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let mut bytes = archive(&[("fc1.bias.npy", &array)], method);
        let file = Weights::from_bytes(&bytes[..]).unwrap();
        let Place::Member(member) = &file.find("fc1.bias").unwrap().place else { panic!("a member") };
        let last = member.range.end - 1;
        bytes[last] ^= 0x40;
        let file = Weights::from_bytes(bytes).unwrap();
        let before = Net::new(5);
        let mut net = before.clone();
        let error = crate::weights::Loader::new().allow_missing("").apply(&mut net, &file).unwrap_err();
        assert!(error.to_string().starts_with("in-memory data: `fc1.bias`: "), "{error}");
        assert_eq!(net, before);
    }
}

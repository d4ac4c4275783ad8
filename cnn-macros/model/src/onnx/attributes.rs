//! A node's attributes, and whether all of them were looked at.

use std::cell::Cell;

use super::constant::Constant;
use super::file::Folder;
use super::proto::{AttributeProto, attribute_type};
use crate::stranger::Shown;

/// The attributes of a node. Those that nobody asked for are an error in the end: they could change what it computes.
pub(super) struct Attributes<'a> {
    list: &'a [AttributeProto],
    read: Vec<Cell<bool>>,
}

impl<'a> Attributes<'a> {
    pub fn of(list: &'a [AttributeProto]) -> Self {
        Attributes { list, read: vec![Cell::new(false); list.len()] }
    }

    /// An attribute by its name and one of [`attribute_type`].
    fn find(&self, name: &str, kind: i32) -> Result<Option<&'a AttributeProto>, String> {
        let Some(index) = self.list.iter().position(|attribute| attribute.name == name) else { return Ok(None) };
        self.read[index].set(true);
        let attribute = &self.list[index];
        // Models of the format's first versions leave the type out.
        if attribute.r#type != kind && attribute.r#type != 0 {
            return Err(format!("its attribute `{name}` is of another type"));
        }
        Ok(Some(attribute))
    }

    /// A whole number.
    pub fn int(&self, name: &str) -> Result<Option<i64>, String> {
        Ok(self.find(name, attribute_type::INT)?.map(|attribute| attribute.i.unwrap_or(0)))
    }

    /// A whole number that says yes or no.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, String> {
        Ok(self.int(name)?.map_or(default, |int| int != 0))
    }

    /// A finite number.
    pub fn float(&self, name: &str, default: f32) -> Result<f32, String> {
        let float = self.find(name, attribute_type::FLOAT)?.map(|attribute| attribute.f.unwrap_or(0.0));
        match float {
            Some(float) if !float.is_finite() => Err(format!("its attribute `{name}` is {float}")),
            float => Ok(float.unwrap_or(default)),
        }
    }

    /// Whole numbers.
    pub fn ints(&self, name: &str) -> Result<Option<&'a [i64]>, String> {
        Ok(self.find(name, attribute_type::INTS)?.map(|attribute| attribute.ints.as_slice()))
    }

    /// Numbers.
    pub fn floats(&self, name: &str) -> Result<Option<&'a [f32]>, String> {
        Ok(self.find(name, attribute_type::FLOATS)?.map(|attribute| attribute.floats.as_slice()))
    }

    /// One of several words; the first one if there is none.
    pub fn word(&self, name: &str, known: &[&'static str]) -> Result<&'static str, String> {
        let Some(attribute) = self.find(name, attribute_type::STRING)? else { return Ok(known[0]) };
        let text = String::from_utf8_lossy(attribute.s.as_deref().unwrap_or_default()).into_owned();
        let word = known.iter().find(|word| **word == text);
        word.copied()
            .ok_or_else(|| format!("its attribute `{name}` is {}: {} can be imported", Shown(&text), known.join(", ")))
    }

    /// A tensor.
    pub fn tensor(&self, name: &str, folder: &Folder) -> Result<Option<Constant>, String> {
        let Some(attribute) = self.find(name, attribute_type::TENSOR)? else { return Ok(None) };
        let tensor = attribute.t.as_ref().ok_or_else(|| format!("its attribute `{name}` is of another type"))?;
        Constant::read(tensor, folder).map(Some).map_err(|problem| format!("its attribute `{name}`: {problem}"))
    }

    /// Passes over attributes that change nothing at inference.
    pub fn ignore(&self, names: &[&str]) {
        for (attribute, read) in self.list.iter().zip(&self.read) {
            if names.contains(&attribute.name.as_str()) {
                read.set(true);
            }
        }
    }

    /// An error if an attribute was not looked at.
    pub fn all_read(&self) -> Result<(), String> {
        for (attribute, read) in self.list.iter().zip(&self.read) {
            if !attribute.ref_attr_name.is_empty() {
                return Err("its attributes are those of a function around it, which is not supported".into());
            }
            if !read.get() {
                return Err(format!("its attribute {} is not supported", Shown(&attribute.name)));
            }
        }
        Ok(())
    }
}

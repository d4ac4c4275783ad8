//! What the layers read of their arguments.

use super::{Argument, Bound, LARGEST, Map, Shape, Site, Sizes, Value, letter_name, show, title};
use crate::op::sizes::takes_one;
use crate::op::text::{as_whole, decimal, fraction};

impl<'c> Bound<'c> {
    /// The site of a word, if it was written.
    pub(crate) fn has(&self, word: &str) -> Option<Site> {
        self.words.iter().find(|(known, _)| *known == word).map(|(_, site)| *site)
    }

    /// The argument of a slot.
    pub(crate) fn slot(&self, name: &str) -> Option<&'c Argument<'c>> {
        let index = self.signature.slots.iter().position(|known| *known == name)?;
        self.slots[index]
    }

    /// A whole number of at least `least`; `Err` after an error, `Ok(None)` where it was not given.
    pub(crate) fn size(&self, name: &str, least: usize) -> Result<Option<usize>, ()> {
        let Some(arg) = self.slot(name) else { return Ok(None) };
        self.whole(arg.value, name, least, arg.site).map(Some)
    }

    /// A value as a whole number between `least` and [`LARGEST`].
    pub(crate) fn whole(&self, value: Value<'_>, name: &str, least: usize, site: Site) -> Result<usize, ()> {
        let message = match value {
            Value::Int(value) => return self.in_range(value, name, least, site),
            Value::Float(value) => {
                let fix = as_whole(value, least).map_or_else(String::new, |whole| format!(": write `{whole}`"));
                format!("{} must be a whole number, not {}{fix}", title(name), fraction(value))
            }
            Value::Dims(_) => format!("{} must be one number, not `{}`: {}", title(name), show(value), self.usage()),
            Value::Unknown => {
                self.bad.set(true);
                return Err(());
            }
            _ => format!("{} must be a number: {}", title(name), self.usage()),
        };
        self.fail(site, message);
        Err(())
    }

    /// A number, or a pair of numbers, between `least` and [`LARGEST`].
    pub(crate) fn pair(&self, name: &str, least: usize) -> Result<Option<[usize; 2]>, ()> {
        let Some(arg) = self.slot(name) else { return Ok(None) };
        let [a, b] = match arg.value {
            Value::Dims(&[a, b]) => [a as i128, b as i128],
            Value::Dims(_) => {
                let shown = show(arg.value);
                self.fail(arg.site, format!("{} has two sizes, not `{shown}`: {}", title(name), self.usage()));
                return Err(());
            }
            other => return self.whole(other, name, least, arg.site).map(|size| Some([size; 2])),
        };
        Ok(Some([self.in_range(a, name, least, arg.site)?, self.in_range(b, name, least, arg.site)?]))
    }

    /// The shape of a map, or of a flat value; `Err` after an error, `Ok(None)` where it was not given.
    pub(crate) fn shape(&self, name: &str) -> Result<Option<Shape>, ()> {
        let Some(arg) = self.slot(name) else { return Ok(None) };
        let size = |size: usize| self.in_range(size as i128, "a size of the shape", 1, arg.site);
        match arg.value {
            Value::Dims(&[c, h, w]) => Ok(Some(Shape::Map(Map { c: size(c)?, h: size(h)?, w: size(w)? }))),
            Value::Dims(_) => {
                let shown = show(arg.value);
                let message = format!("a shape has three sizes, or one if it is flat, not `{shown}`: {}", self.usage());
                self.fail(arg.site, message);
                Err(())
            }
            other => self.whole(other, name, 1, arg.site).map(|features| Some(Shape::Flat(features))),
        }
    }

    fn in_range(&self, value: i128, name: &str, least: usize, site: Site) -> Result<usize, ()> {
        if value > LARGEST as i128 {
            self.fail(site, format!("{} = {value} is too large: at most {LARGEST} is possible", title(name)));
            return Err(());
        }
        usize::try_from(value).ok().filter(|&size| size >= least).ok_or_else(|| {
            let why = match name {
                "stride" => " (a window that does not move has no end)",
                "dilation" => " (all taps would read one pixel)",
                _ => "",
            };
            self.fail(site, format!("{} = {value}{why}: at least {least} is needed", title(name)));
        })
    }

    /// The sizes of an option such as `s2` for rows and columns, with its site.
    pub(crate) fn option(&self, letter: char, least: usize) -> Result<Option<([usize; 2], Site)>, ()> {
        let Some(&(_, sizes, site)) = self.letters.iter().find(|(known, ..)| *known == letter) else {
            return Ok(None);
        };
        let (name, [rows, columns]) = (letter_name(letter), sizes.pair());
        if sizes.written() > 1 && takes_one(letter) {
            self.fail(site, format!("{name} is one number: write `{letter}{rows}`"));
            return Err(());
        }
        if sizes.written() > 2 {
            self.fail(site, format!("{name} has two sizes, not four: write `{letter}{rows}x{columns}`"));
            return Err(());
        }
        Ok(Some(([self.in_range(rows, name, least, site)?, self.in_range(columns, name, least, site)?], site)))
    }

    /// The padding `p2`, `p1x2` or `p0x1x2x3` of top, left, bottom and right, with its site.
    pub(crate) fn padding(&self) -> Result<Option<([usize; 4], Site)>, ()> {
        let Some(&(_, sizes, site)) = self.letters.iter().find(|(known, ..)| *known == 'p') else {
            return Ok(None);
        };
        Ok(Some((self.each_side(sizes, letter_name('p'), site)?, site)))
    }

    /// A slot's number, pair or four sizes, for top, left, bottom and right.
    pub(crate) fn sides(&self, name: &str) -> Result<Option<[usize; 4]>, ()> {
        let Some(arg) = self.slot(name) else { return Ok(None) };
        let Value::Dims(dims) = arg.value else {
            return self.whole(arg.value, name, 0, arg.site).map(|size| Some([size; 4]));
        };
        let Some(sizes) = Sizes::of_dims(dims) else {
            let shown = show(arg.value);
            self.fail(arg.site, format!("{} has two or four sizes, not `{shown}`: {}", title(name), self.usage()));
            return Err(());
        };
        self.each_side(sizes, name, arg.site).map(Some)
    }

    fn each_side(&self, sizes: Sizes, name: &str, site: Site) -> Result<[usize; 4], ()> {
        let mut sides = [0; 4];
        for (side, size) in sides.iter_mut().zip(sizes.sides()) {
            *side = self.in_range(size, name, 0, site)?;
        }
        Ok(sides)
    }

    /// A number with a default, which must pass `check`; `range` says in words what passes.
    pub(crate) fn number(&self, name: &str, default: f64, range: &str, check: fn(f64) -> bool) -> Result<f32, ()> {
        let Some(arg) = self.slot(name) else { return Ok(default as f32) };
        let value = match arg.value {
            Value::Int(value) => value as f64,
            Value::Float(value) => value,
            _ => return self.whole(arg.value, name, 0, arg.site).map(|_| 0.0),
        };
        if check(value) && (value as f32).is_finite() && check(f64::from(value as f32)) {
            // Not -0, which has the bits of another number.
            return Ok(value as f32 + 0.0);
        }
        self.fail(arg.site, format!("{name} = {}: it must be {range}", decimal(value)));
        Err(())
    }

    /// Reports an argument that is not there, unless a wrong one may be meant by it.
    pub(crate) fn missing(&self, what: &str, fix: Option<String>) {
        if !self.bad.get() {
            let fix = match self.lettered {
                Some(param) => format!("the parameter `{param}` is an option by its name: call it otherwise"),
                None => fix.map_or_else(|| self.usage(), |fix| format!("write `{fix}`")),
            };
            self.report.option(self.report.call(), format!("{what} is missing: {fix}"));
            self.bad.set(true);
        }
    }
}

//! Files of trained networks that also say how pictures are shown to them and what their classes are called.

use std::path::Path;
use std::str::FromStr;

use cnn_runtime::prelude::*;
use cnn_runtime::weights::{Saver, Weights};

use crate::Failure;

/// What a network expects of pictures and says of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Manner {
    /// What is done to a picture's channels.
    pub normalize: Normalize,
    /// The names of the classes; none where a number is all there is.
    pub classes: Vec<String>,
}

impl Manner {
    /// What the network that wrote a file expected, if the file says so.
    ///
    /// # Errors
    ///
    /// When what it says makes no sense.
    pub fn of(file: &Weights) -> Result<Option<Manner>, Failure> {
        let said = |key| file.metadata().get(key).map(String::as_str);
        let (Some(mean), Some(std)) = (said("mean"), said("std")) else { return Ok(None) };
        let normalize = Normalize::new(&numbers(mean)?, &numbers(std)?)?;
        let classes = said("classes").map_or(vec![], |classes| classes.lines().map(str::to_owned).collect());
        Ok(Some(Manner { normalize, classes }))
    }

    /// The name of a class, or its number.
    pub fn class(&self, class: usize) -> String {
        self.classes.get(class).cloned().unwrap_or_else(|| format!("class {class}"))
    }

    /// Saves a network that was trained in this manner.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn save<N: Network>(&self, net: &N, path: &Path) -> Result<(), Error> {
        let list = |values: &[f32]| values.iter().map(f32::to_string).collect::<Vec<_>>().join(" ");
        let saver = Saver::new().metadata("mean", list(self.normalize.mean()));
        let saver = saver.metadata("std", list(self.normalize.std())).metadata("classes", self.classes.join("\n"));
        saver.save(net, path)?;
        println!("saved as {}", path.display());
        Ok(())
    }
}

fn numbers(text: &str) -> Result<Vec<f32>, Failure> {
    text.split_whitespace().map(|number| f32::from_str(number).map_err(Failure::from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    cnn! { Net <2x4x4> -> fc(3) }

    #[test]
    fn the_manner_is_kept_with_the_network() {
        let folder = tempfile::tempdir().unwrap();
        let [path, bare] = ["net", "bare"].map(|name| folder.path().join(name));
        let normalize = Normalize::new(&[0.25, 1.0 / 3.0], &[0.1, 2.5]).unwrap();
        let manner = Manner { normalize, classes: ["dog", "hot dog", "cat"].map(String::from).into() };
        let net = Net::new(3);
        manner.save(&net, &path).unwrap();
        assert_eq!(Manner::of(&Weights::open(&path).unwrap()).unwrap(), Some(manner.clone()));
        assert_eq!((manner.class(1), manner.class(3)), ("hot dog".to_owned(), "class 3".to_owned()));
        net.save(&bare).unwrap();
        assert_eq!(Manner::of(&Weights::open(&bare).unwrap()).unwrap(), None);
    }
}

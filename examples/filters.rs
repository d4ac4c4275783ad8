//! What filters do to a photo: edges, blur and sharpening, by a convolution whose weights are set by hand.

use std::path::PathBuf;

use clap::Parser;
use cnn_examples::{Outcome, record::pictures, shipped};
use cnn_runtime::data::pictures::picture;
use cnn_runtime::prelude::*;
use cnn_runtime::viz::{Picture, Sheet, Span};
use ndarray::{Array4, ArrayView3, Axis};

cnn! {
    /// One filter that slides over each of the three colours by itself.
    pub Filter <3x427x640> -> dwconv(5x5, p2, nobias) <3x427x640>
}

/// A filter and how its result is shown.
struct Kind {
    name: &'static str,
    weights: [[f32; 5]; 5],
    /// What all weights are divided by.
    sum: f32,
    /// Whether the result is a change of brightness, of which the size is shown, or a photo again.
    change: bool,
}

const KINDS: [Kind; 6] = [
    Kind {
        name: "edges",
        weights: [
            [0., 0., 0., 0., 0.],
            [0., -1., -1., -1., 0.],
            [0., -1., 8., -1., 0.],
            [0., -1., -1., -1., 0.],
            [0., 0., 0., 0., 0.],
        ],
        sum: 1.0,
        change: true,
    },
    Kind {
        name: "upright-edges",
        weights: [
            [0., 0., 0., 0., 0.],
            [0., -1., 0., 1., 0.],
            [0., -2., 0., 2., 0.],
            [0., -1., 0., 1., 0.],
            [0., 0., 0., 0., 0.],
        ],
        sum: 1.0,
        change: true,
    },
    Kind {
        name: "level-edges",
        weights: [
            [0., 0., 0., 0., 0.],
            [0., -1., -2., -1., 0.],
            [0., 0., 0., 0., 0.],
            [0., 1., 2., 1., 0.],
            [0., 0., 0., 0., 0.],
        ],
        sum: 1.0,
        change: true,
    },
    Kind {
        name: "blur",
        weights: [
            [1., 4., 6., 4., 1.],
            [4., 16., 24., 16., 4.],
            [6., 24., 36., 24., 6.],
            [4., 16., 24., 16., 4.],
            [1., 4., 6., 4., 1.],
        ],
        sum: 256.0,
        change: false,
    },
    Kind { name: "box-blur", weights: [[1.; 5]; 5], sum: 25.0, change: false },
    Kind {
        name: "sharpen",
        // Twice the photo less its blur: what the blur takes away is added.
        weights: [
            [-1., -4., -6., -4., -1.],
            [-4., -16., -24., -16., -4.],
            [-6., -24., 476., -24., -6.],
            [-4., -16., -24., -16., -4.],
            [-1., -4., -6., -4., -1.],
        ],
        sum: 256.0,
        change: false,
    },
];

#[derive(Parser)]
#[command(about = "Filters a photo for edges, blurs it and sharpens it, by a convolution; writes pictures")]
struct Args {
    /// The photo [default: one that ships with the repository]
    #[arg(long)]
    photo: Option<PathBuf>,
    /// The folder for the pictures [default: target/pictures]
    #[arg(long)]
    out: Option<PathBuf>,
    /// The same; there is nothing that takes long
    #[arg(long)]
    quick: bool,
}

fn main() -> Outcome {
    let args = Args::parse();
    let photo = args.photo.unwrap_or_else(|| shipped("photos").join("china.jpg"));
    let out = pictures(args.out.as_deref())?;
    let image = picture(&photo, Filter::INPUT)?;
    let original = Picture::of_image(image.view(), Span::UNIT)?;
    let mut sheet = Sheet::new("What filters do").band("", "the same convolution, six times").tile_size(400).columns(2);
    sheet = sheet.tile(original, &["the photo"]);
    let mut net = Filter::new(0);
    for kind in &KINDS {
        let weights = Array4::from_shape_fn((3, 1, 5, 5), |(_, _, h, w)| kind.weights[h][w] / kind.sum);
        net.set_tensor("dwconv1.weight", weights.view())?;
        let filtered = filtered(&net, image.view(), kind)?;
        let file = out.join(format!("filter-{}.png", kind.name));
        filtered.save(&file)?;
        println!("{}", file.display());
        sheet = sheet.tile(filtered, &[kind.name]);
    }
    let file = out.join("filters.png");
    sheet.draw().save(&file)?;
    println!("all of them: {}", file.display());
    Ok(())
}

/// What the filter in `net` makes of a photo.
fn filtered(net: &Filter, image: ArrayView3<'_, f32>, kind: &Kind) -> Result<Picture, Error> {
    let mut workspace = net.workspace(1);
    let maps = net.forward_maps(&mut workspace, image.insert_axis(Axis(0)))?;
    let values = maps.index_axis(Axis(0), 0);
    if kind.change {
        let sizes = values.mapv(f32::abs);
        return Picture::of_image(sizes.view(), Span { low: 0.0, high: 1.5 });
    }
    Picture::of_image(values, Span::UNIT)
}

//! Where the boxes of a graph stand and how its arrows run: layer by layer from the top down, as by Sugiyama, Tagawa and
//! Toda (1981).
//!
//! A box stands in the row after the last box it reads. An arrow over several rows passes a point in each, which
//! keeps boxes out of its way; arrows from one box share their points. Rows are sorted by the middle of what they hang on
//! until no fewer arrows cross. The longest way through the network is a straight line in the middle.

use crate::viz::spread::spread;

/// Sweeps over all rows, down or up, to sort them and to place what is in them.
const SWEEPS: usize = 12;
/// Least space between neighbours.
const GAP: f64 = 26.0;
/// How much places on the main line weigh against others, and points of a straight arrow against boxes.
const MAIN: f64 = 1e6;
const STRAIGHT: f64 = 1e2;

/// What is to be placed.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub width: f64,
    /// Space that its arrow needs on each side, where it runs past boxes.
    pub side: f64,
    pub inputs: Vec<usize>,
}

/// A box, or a point that an arrow passes.
#[derive(Clone, Debug)]
pub(super) struct Vertex {
    pub row: usize,
    /// The middle.
    pub x: f64,
    pub width: f64,
    /// The box it is; none for a point.
    pub item: Option<usize>,
    /// Whether it stands on the main line.
    pub main: bool,
}

/// An arrow from one box to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arrow {
    pub from: usize,
    pub to: usize,
    /// The points it passes, as indices of vertices.
    pub points: Vec<usize>,
}

/// A placed graph: vertex `i` is item `i`, points come after all items.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub vertices: Vec<Vertex>,
    pub arrows: Vec<Arrow>,
    /// The vertices of each row, from left to right.
    pub rows: Vec<Vec<usize>>,
    /// Pairs of vertices in neighbouring rows that an arrow connects, upper one first.
    links: Vec<(usize, usize)>,
}

/// Places items, each of which comes after those it reads.
pub(super) fn layout(items: &[Item]) -> Layout {
    let mut layout = Layout::new(items);
    layout.mark_main_line(items);
    layout.sort_rows();
    layout.place();
    layout.straighten();
    layout
}

impl Layout {
    /// Everything in its row, with the points of arrows.
    fn new(items: &[Item]) -> Self {
        let mut vertices: Vec<Vertex> = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let row = item.inputs.iter().map(|&input| vertices[input].row + 1).max().unwrap_or(0);
            vertices.push(Vertex { row, x: 0.0, width: item.width, item: Some(index), main: false });
        }
        let (mut arrows, mut links) = (Vec::new(), Vec::new());
        // The points on the way down from each item.
        let mut trunks: Vec<Vec<usize>> = vec![Vec::new(); items.len()];
        for (to, item) in items.iter().enumerate() {
            for &from in &item.inputs {
                let passed = vertices[to].row - vertices[from].row - 1;
                while trunks[from].len() < passed {
                    let before = trunks[from].last().copied().unwrap_or(from);
                    let row = vertices[before].row + 1;
                    links.push((before, vertices.len()));
                    trunks[from].push(vertices.len());
                    let width = 2.0 * items[from].side;
                    vertices.push(Vertex { row, x: 0.0, width, item: None, main: false });
                }
                let points = trunks[from][..passed].to_vec();
                links.push((points.last().copied().unwrap_or(from), to));
                arrows.push(Arrow { from, to, points });
            }
        }
        let height = vertices.iter().map(|vertex| vertex.row + 1).max().unwrap_or(0);
        let mut rows = vec![Vec::new(); height];
        for (index, vertex) in vertices.iter().enumerate() {
            rows[vertex.row].push(index);
        }
        Layout { vertices, arrows, rows, links }
    }

    /// Follows the longest way back from the last item; of equals, the input that is written first.
    fn mark_main_line(&mut self, items: &[Item]) {
        let mut at = items.len().checked_sub(1);
        while let Some(index) = at {
            self.vertices[index].main = true;
            let row = self.vertices[index].row;
            at = items[index].inputs.iter().copied().find(|&input| self.vertices[input].row + 1 == row);
        }
    }

    /// Orders each row by the mean place of its neighbours in the row before it, down and up again, and keeps the best.
    fn sort_rows(&mut self) {
        for row in &mut self.rows {
            row.sort_by_key(|&index| !self.vertices[index].main);
        }
        let (up, down) = self.neighbours();
        let (mut best, mut fewest) = (self.rows.clone(), self.crossings());
        for sweep in 0..SWEEPS {
            if fewest == 0 {
                break;
            }
            let mut place = vec![0.0; self.vertices.len()];
            let downwards = sweep % 2 == 0;
            let links = if downwards { &up } else { &down };
            for step in 0..self.rows.len() {
                let row = if downwards { step } else { self.rows.len() - 1 - step };
                let mut keyed: Vec<(f64, usize)> = Vec::with_capacity(self.rows[row].len());
                for (at, &index) in self.rows[row].iter().enumerate() {
                    let key = mean(links[index].iter().map(|&other| place[other])).unwrap_or(at as f64);
                    keyed.push((key, index));
                }
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                self.rows[row] = keyed.into_iter().map(|(_, index)| index).collect();
                for (at, &index) in self.rows[row].iter().enumerate() {
                    place[index] = at as f64;
                }
            }
            let crossings = self.crossings();
            if crossings < fewest {
                (best, fewest) = (self.rows.clone(), crossings);
            }
        }
        self.rows = best;
    }

    /// Pairs of links that cross.
    pub fn crossings(&self) -> usize {
        let mut place = vec![0; self.vertices.len()];
        self.rows.iter().for_each(|row| row.iter().enumerate().for_each(|(at, &index)| place[index] = at));
        let mut between: Vec<Vec<(usize, usize)>> = vec![Vec::new(); self.rows.len()];
        for &(upper, lower) in &self.links {
            between[self.vertices[upper].row].push((place[upper], place[lower]));
        }
        let crossed = |links: &Vec<(usize, usize)>| {
            let pairs = links.iter().enumerate().flat_map(|(at, a)| links[..at].iter().map(move |b| (a, b)));
            pairs.filter(|(a, b)| (a.0 < b.0 && a.1 > b.1) || (a.0 > b.0 && a.1 < b.1)).count()
        };
        between.iter().map(crossed).sum()
    }

    /// How many links below each row do not go straight down.
    pub fn bends(&self) -> Vec<usize> {
        let mut bends = vec![0; self.rows.len()];
        for &(upper, lower) in &self.links {
            let (upper, lower) = (&self.vertices[upper], &self.vertices[lower]);
            bends[upper.row] += usize::from((upper.x - lower.x).abs() > 1.0);
        }
        bends
    }

    /// What each vertex is linked to in the row above it and in the row below it.
    fn neighbours(&self) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
        let (mut up, mut down) = (vec![Vec::new(); self.vertices.len()], vec![Vec::new(); self.vertices.len()]);
        for &(upper, lower) in &self.links {
            up[lower].push(upper);
            down[upper].push(lower);
        }
        (up, down)
    }

    /// Moves everything near the middle of what it is linked to, the main line to zero.
    fn place(&mut self) {
        let (up, down) = self.neighbours();
        for sweep in 0..2 * SWEEPS {
            for step in 0..self.rows.len() {
                let row = if sweep % 2 == 0 { step } else { self.rows.len() - 1 - step };
                let wanted: Vec<f64> = self.rows[row]
                    .iter()
                    .map(|&index| {
                        let vertex = &self.vertices[index];
                        let around = up[index].iter().chain(&down[index]).map(|&other| self.vertices[other].x);
                        if vertex.main { 0.0 } else { mean(around).unwrap_or(vertex.x) }
                    })
                    .collect();
                self.settle(row, &wanted, 1.0);
            }
        }
    }

    /// Puts all points of an arrow below each other, as far out as the widest row makes one of them stand, and the box
    /// that it leaves above them, unless that is on the main line.
    fn straighten(&mut self) {
        let mut wanted: Vec<f64> = self.vertices.iter().map(|vertex| vertex.x).collect();
        for arrow in &self.arrows {
            let source = Some(arrow.from).filter(|&from| !arrow.points.is_empty() && !self.vertices[from].main);
            let line = || source.iter().chain(&arrow.points);
            let places = line().map(|&point| self.vertices[point].x);
            let farthest = places.fold(0.0, |far: f64, x| if x.abs() > far.abs() { x } else { far });
            for &point in line() {
                if farthest.abs() > wanted[point].abs() {
                    wanted[point] = farthest;
                }
            }
        }
        for row in 0..self.rows.len() {
            let wanted: Vec<f64> = self.rows[row].iter().map(|&index| wanted[index]).collect();
            self.settle(row, &wanted, STRAIGHT);
        }
    }

    /// Places a row near `wanted`, without overlaps; points weigh `points`.
    fn settle(&mut self, row: usize, wanted: &[f64], points: f64) {
        let vertices = &mut self.vertices;
        let row = &self.rows[row];
        let weight = |&index: &usize| match (vertices[index].main, vertices[index].item) {
            (true, _) => MAIN,
            (false, None) => points,
            (false, Some(_)) => 1.0,
        };
        let weights: Vec<f64> = row.iter().map(weight).collect();
        let gap = |pair: &[usize]| (vertices[pair[0]].width + vertices[pair[1]].width) / 2.0 + GAP;
        let gaps: Vec<f64> = row.windows(2).map(gap).collect();
        for (&index, x) in row.iter().zip(spread(wanted, &weights, &gaps)) {
            vertices[index].x = x;
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

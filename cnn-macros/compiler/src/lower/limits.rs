//! What a program may ask for at most, so that no input takes the compiler, or rustc after it, more than seconds.

use super::{Unfolding, call_notes};
use crate::ast::Call;
use crate::diag::{Diagnostic, Site};

/// The most layers a network may have.
pub(super) const LAYERS: usize = 4096;
/// The most layers all networks of an invocation may have together.
const ALL_LAYERS: usize = 4 * LAYERS;
/// The most branches of one `add` or `concat`.
const BRANCHES: usize = 256;
/// The most values that the layers of a network may read together; a layer without branches reads one.
const READS: usize = 4 * LAYERS;
/// The most work in unfolding an invocation, where an argument or number counts 1 and a step [`STEP`].
const WORK: usize = 1 << 21;
/// The work of a step: a call has a frame, a scope and a name.
pub(super) const STEP: usize = 16;

impl Unfolding<'_, '_> {
    /// Counts a unit of work; false once the limit is passed.
    pub(super) fn work(&mut self, site: Site, units: usize) -> bool {
        self.shared.work = self.shared.work.saturating_add(units);
        if self.shared.work > WORK && !self.full {
            let message = format!("this invocation unfolds to more than {} steps with their arguments", WORK / STEP);
            self.exhaust(site, message, Vec::new());
        }
        !self.full
    }

    /// Stops at a limit that all networks share. It is one mistake, however many networks come after it.
    fn exhaust(&mut self, site: Site, message: String, notes: Vec<String>) {
        self.full = true;
        if !std::mem::replace(&mut self.shared.exhausted, true) {
            self.shared.diagnostics.push(Diagnostic { site, message, notes });
        }
    }

    /// Reports a join of more branches than anyone can read; they are not unfolded.
    pub(super) fn too_wide(&mut self, call: &Call, branches: usize, frame: usize) -> bool {
        let wide = branches > BRANCHES;
        if wide {
            let message =
                format!("{branches} branches: `{}` joins at most {BRANCHES}, so join them in steps", call.name);
            self.error(call.site, frame, message);
        }
        wide
    }

    /// Reports the layer with which the network, or all of them together, passes a limit.
    pub(super) fn too_many(&mut self, call: &Call, frame: usize) -> bool {
        let message = if self.layers > LAYERS {
            format!("a network has at most {LAYERS} layers, and this would be one more: split it into several networks")
        } else if self.shared.all_layers > ALL_LAYERS {
            let message = format!(
                "the networks of one invocation have at most {ALL_LAYERS} layers together: use several invocations"
            );
            self.exhaust(call.site, message, call_notes(&self.frames, frame));
            return true;
        } else if self.reads > READS {
            format!("the layers up to here read more than {READS} values together: join fewer branches")
        } else {
            return false;
        };
        self.full = true;
        self.error(call.site, frame, message);
        true
    }
}

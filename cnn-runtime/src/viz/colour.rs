//! Colours for values.

/// A scale of colours for values from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colours {
    /// Black to white.
    #[default]
    Grey,
    /// Dark violet over green to yellow, in even steps for the eye, for those who see no red or green too: viridis, by
    /// van der Walt and Smith (2015).
    Viridis,
    /// Black over red to light yellow, in even steps for the eye: inferno, by the same.
    Inferno,
    /// Blue over white, at one half, to red, for values with a sign: RdBu of ColorBrewer (Brewer and Harrower 2002).
    Signed,
}

const VIRIDIS: [u32; 9] =
    [0x44_01_54, 0x47_2d_7b, 0x3b_52_8b, 0x2c_72_8e, 0x21_91_8c, 0x28_ae_80, 0x5e_c9_62, 0xad_dc_30, 0xfd_e7_25];
const INFERNO: [u32; 9] =
    [0x00_00_04, 0x21_0c_4a, 0x57_10_6e, 0x8a_22_6a, 0xbc_37_54, 0xe4_59_33, 0xf9_8e_09, 0xf9_cb_35, 0xfc_ff_a4];
const SIGNED: [u32; 9] =
    [0x21_66_ac, 0x43_93_c3, 0x92_c5_de, 0xd1_e5_f0, 0xf7_f7_f7, 0xfd_db_c7, 0xf4_a5_82, 0xd6_60_4d, 0xb2_18_2b];
const GREY: [u32; 2] = [0x00_00_00, 0xff_ff_ff];

impl Colours {
    /// Red, green and blue at `value`. Below 0 and NaN is 0, above 1 is 1.
    pub fn at(self, value: f32) -> [u8; 3] {
        let table: &[u32] = match self {
            Colours::Grey => &GREY,
            Colours::Viridis => &VIRIDIS,
            Colours::Inferno => &INFERNO,
            Colours::Signed => &SIGNED,
        };
        let value = if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
        let place = value * (table.len() - 1) as f32;
        let low = (place as usize).min(table.len() - 2);
        let part = place - low as f32;
        [16, 8, 0].map(|shift| {
            let [a, b] = [table[low], table[low + 1]].map(|colour| (colour >> shift & 0xff) as f32);
            (a + (b - a) * part).round() as u8
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_go_through_their_colours() {
        assert_eq!(Colours::Grey.at(0.5), [128; 3]);
        assert_eq!((Colours::Viridis.at(0.0), Colours::Viridis.at(1.0)), ([0x44, 0x01, 0x54], [0xfd, 0xe7, 0x25]));
        assert_eq!(Colours::Signed.at(0.5), [0xf7; 3]);
        assert_eq!(Colours::Inferno.at(0.125), [0x21, 0x0c, 0x4a]);
    }

    #[test]
    fn no_value_is_off_the_scale() {
        for scale in [Colours::Grey, Colours::Viridis, Colours::Inferno, Colours::Signed] {
            assert_eq!(scale.at(f32::NAN), scale.at(0.0));
            assert_eq!(scale.at(f32::NEG_INFINITY), scale.at(0.0));
            assert_eq!(scale.at(7.0), scale.at(1.0));
        }
    }

    #[test]
    fn scales_for_the_eye_grow_lighter_in_every_step() {
        for scale in [Colours::Viridis, Colours::Inferno, Colours::Grey] {
            let light = |step: i32| {
                let [r, g, b] = scale.at(step as f32 / 64.0).map(f32::from);
                0.2126 * r + 0.7152 * g + 0.0722 * b
            };
            assert!((0..64).all(|step| light(step) < light(step + 1)), "{scale:?}");
        }
    }
}

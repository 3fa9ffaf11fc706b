//! An inspection as text.

use super::memory::Limit;
use super::rounding::RoundingError;
use super::{FieldInspection, Inspection};
use std::fmt;

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} version {} (id {:#018x}), format {}, {} path, {} bytes: {} of header and manifest, {} of item bias, {} of \
             signature, the rest below",
            self.name,
            self.model_version,
            self.model_id,
            self.format,
            self.path,
            self.bytes,
            self.manifest_bytes,
            self.item_bias_bytes,
            self.signature_bytes
        )?;
        self.tables(f)?;
        self.fields(f)?;
        self.layers(f)?;
        self.needs(f)?;
        self.cycles(f)?;
        self.fitting(f)
    }
}

impl Inspection {
    fn tables(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:<24} {:>9} {:>5} {:>9} {:>12} {:>11} {:>10} {:>9} {:>9}",
            "table", "rows", "dim", "encoding", "vocabulary", "bytes", "key bytes", "error max", "rms"
        )?;
        for table in &self.tables {
            writeln!(
                f,
                "{:<24} {:>9} {:>5} {:>9} {:>12} {:>11} {:>10} {}",
                table.name,
                table.rows,
                table.dim,
                table.encoding,
                table.vocabulary,
                table.bytes,
                table.key_bytes,
                errors(table.rounding)
            )?;
        }
        Ok(())
    }

    fn fields(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        for (group, fields) in
            [("profile", &self.profile), ("context", &self.context), ("candidate", &self.candidate)]
        {
            writeln!(f, "{group}: {}", list(fields))?;
        }
        for sequence in &self.sequences {
            writeln!(
                f,
                "sequence {}: last {} behaviours, {} pooling, key {} wide: {}",
                sequence.name,
                sequence.capacity,
                sequence.pooling,
                sequence.key_width,
                list(&sequence.fields)
            )?;
        }
        Ok(())
    }

    fn layers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:<8} {:<16} {:>7} {:>8} {:>11} {:>9} {:>9} {:>9}",
            "layer", "of", "inputs", "outputs", "activation", "bytes", "error max", "rms"
        )?;
        for (index, layer) in self.layers.iter().enumerate() {
            writeln!(
                f,
                "{index:<8} {:<16} {:>7} {:>8} {:>11} {:>9} {}",
                layer.of,
                layer.inputs,
                layer.outputs,
                layer.activation,
                layer.bytes,
                errors(layer.rounding)
            )?;
        }
        let all = || {
            self.tables
                .iter()
                .map(|table| table.rounding)
                .chain(self.layers.iter().map(|layer| layer.rounding))
        };
        if all().any(|error| error.basis == "trained weights") {
            writeln!(f, "errors: against the trained weights, batch norm folded")
        } else if all().any(|error| error.basis == "half a step") {
            writeln!(
                f,
                "errors: half a step of the stored integers, as rounding to the nearest would have; --weights FOLDER measures them"
            )
        } else {
            Ok(())
        }
    }

    fn needs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nRAM, bytes   {:>9} {:>10} {:>7} {:>7} {:>9}",
            "scratch", "histories", "views", "stack", "together"
        )?;
        for (machine, ram) in [("32-bit core", self.ram), ("64-bit", self.ram_64_bit)] {
            writeln!(
                f,
                "{machine:<12} {:>9} {:>10} {:>7} {:>7} {:>9}",
                ram.scratch,
                ram.histories,
                ram.views,
                ram.stack,
                ram.total()
            )?;
        }
        write!(
            f,
            "\nmultiply-accumulates a candidate: {} with full histories; {}",
            self.macs_per_candidate, self.arithmetic.fixed
        )?;
        for sequence in &self.arithmetic.sequences {
            if sequence.per_behaviour > 0 {
                write!(
                    f,
                    " + {} T, T behaviours of {} (at most {})",
                    sequence.per_behaviour, sequence.sequence, sequence.capacity
                )?;
            }
        }
        writeln!(f, "; a user: {}", self.arithmetic.user)
    }

    fn cycles(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:<12} {:>13} {:>9} {:>21} {:>23}",
            "core, est.", "instructions", "per MAC", "cycles a candidate", "MLPerf Tiny, per MAC"
        )?;
        for estimate in &self.cycles {
            let mlperf = match estimate.mlperf_cycles_per_mac {
                Some([least, most]) if least < most => format!("{least} to {most}"),
                Some([both, _]) => both.to_string(),
                None => "-".to_owned(),
            };
            writeln!(
                f,
                "{:<12} {:>13} {:>9.1} {:>21} {:>23}",
                estimate.core,
                estimate.instructions,
                estimate.instructions_per_mac,
                format!("{} to {}", estimate.least, estimate.most),
                mlperf
            )?;
        }
        let mut bases: Vec<&str> = self.cycles.iter().map(|estimate| estimate.basis).collect();
        bases.dedup();
        for basis in bases {
            let cores =
                self.cycles.iter().filter(|estimate| estimate.basis == basis).map(|estimate| estimate.core);
            writeln!(f, "{}: {basis}", cores.collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }

    fn fitting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(fit) = &self.fit else { return Ok(()) };
        writeln!(f)?;
        for (what, parts, limit) in [
            ("flash", "the blob and din-core's code", fit.flash),
            ("RAM", "scratch memory, histories, views and stack on a 32-bit core", fit.ram),
        ] {
            if let Some(limit) = limit {
                writeln!(f, "{what}: {}: {parts}", verdict(&limit))?;
            }
        }
        Ok(())
    }
}

fn verdict(limit: &Limit) -> String {
    let Limit { available, needed } = limit;
    if limit.fits() {
        format!("{needed} of {available} bytes, {} left", available - needed)
    } else {
        format!("{needed} bytes needed, {available} there: {} too many", needed - available)
    }
}

/// Two columns.
fn errors(error: RoundingError) -> String {
    if error.max == 0.0 {
        format!("{:>9} {:>9}", "0", "0")
    } else {
        format!("{:>9.1e} {:>9.1e}", error.max, error.rms)
    }
}

fn list(fields: &[FieldInspection]) -> String {
    if fields.is_empty() {
        return "none".to_owned();
    }
    let describe = |field: &FieldInspection| {
        let what = match (&field.table, field.step) {
            (Some(table), _) => format!("table {table}"),
            (None, Some(step)) => format!("a number in steps of {step:.1e}"),
            (None, None) => "a number".to_owned(),
        };
        let pair = field.pair.as_ref().map_or_else(String::new, |pair| format!(", compared with {pair}"));
        format!("{} ({what}, {} wide{pair})", field.name, field.width)
    };
    fields.iter().map(describe).collect::<Vec<_>>().join(", ")
}

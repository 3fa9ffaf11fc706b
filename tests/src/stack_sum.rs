//! The deepest stack of a program for Cortex-M: the frames along the costliest chain of calls, as the compiler states them
//! (`-Z emit-stack-sizes`), with the calls that the disassembly shows.

use object::{Object, ObjectSection};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::{fs, io};

/// What calls what in a program, and the frame of each.
#[derive(Debug, Default)]
pub struct CallGraph {
    functions: BTreeMap<u64, Function>,
}

#[derive(Debug, Default)]
struct Function {
    name: String,
    /// Bytes.
    frame: u64,
    calls: BTreeSet<u64>,
    calls_by_pointer: bool,
}

/// A chain of calls, and the bytes of its frames.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// Sum of the frames.
    pub bytes: u64,
    /// From the first caller on: names and frames.
    pub calls: Vec<(String, u64)>,
}

impl CallGraph {
    /// Of an ELF file that was built with `-Z emit-stack-sizes`, disassembled by `arm-none-eabi-objdump`.
    ///
    /// # Errors
    /// Where the file cannot be read, has no section `.stack_sizes`, or cannot be disassembled.
    pub fn read(elf: &Path) -> io::Result<Self> {
        let stated = stated_frames(&fs::read(elf)?).ok_or_else(|| io::Error::other("no .stack_sizes"))?;
        let output = Command::new("arm-none-eabi-objdump").arg("-dC").arg(elf).output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        Ok(Self::of(&stated, &String::from_utf8_lossy(&output.stdout)))
    }

    /// Functions that the compiler states no frame of (assembly, the compiler's own routines) take what they push.
    fn of(stated: &BTreeMap<u64, u64>, disassembly: &str) -> Self {
        let mut functions = BTreeMap::<u64, Function>::new();
        let mut start = 0;
        for line in disassembly.lines() {
            if let Some((address, name)) = header(line) {
                start = address;
                functions.insert(start, Function { name: name.to_owned(), ..Function::default() });
                continue;
            }
            let (Some(function), Some((name, operands))) = (functions.get_mut(&start), instruction(line))
            else {
                continue;
            };
            function.frame += pushed(name, operands);
            function.calls_by_pointer |= matches!(name, "blx" | "bx") && operands.starts_with('r');
            if name.starts_with('b')
                && let Some(target) = target(operands)
                && (target != start || name == "bl")
            {
                function.calls.insert(target);
            }
        }
        // A panic ends the program, in a handler of the firmware's own.
        functions.retain(|_, function| {
            !function.name.contains("panicking::") && !function.name.contains("rust_begin_unwind")
        });
        let starts: BTreeSet<u64> = functions.keys().copied().collect();
        for (start, function) in &mut functions {
            function.calls.retain(|target| starts.contains(target));
            function.frame = stated.get(start).copied().unwrap_or(function.frame);
        }
        Self { functions }
    }

    /// The costliest chain from the function of a name, without what a panic does. A call by pointer may reach any function
    /// that none calls by name; of one that is called both ways the calls by name count alone.
    ///
    /// # Errors
    /// Where there is no such function, or a function may call itself: then nothing bounds the stack.
    pub fn deepest(&self, name: &str) -> Result<Chain, String> {
        let find = |(start, function): (&u64, &Function)| (function.name == name).then_some(*start);
        let start = self.functions.iter().find_map(find).ok_or_else(|| format!("no function {name}"))?;
        let called: BTreeSet<u64> = self.functions.values().flat_map(|f| f.calls.iter().copied()).collect();
        let uncalled: Vec<u64> =
            self.functions.keys().copied().filter(|at| !called.contains(at) && *at != start).collect();
        self.from(start, &uncalled, &mut Vec::new(), &mut BTreeMap::new())
    }

    fn from(
        &self,
        at: u64,
        uncalled: &[u64],
        open: &mut Vec<u64>,
        known: &mut BTreeMap<u64, Chain>,
    ) -> Result<Chain, String> {
        if let Some(chain) = known.get(&at) {
            return Ok(chain.clone());
        }
        let function = &self.functions[&at];
        if open.contains(&at) {
            return Err(format!("{} may call itself", function.name));
        }
        open.push(at);
        let by_pointer = if function.calls_by_pointer { uncalled } else { &[] };
        let mut deepest = Chain::default();
        for callee in function.calls.iter().chain(by_pointer) {
            let chain = self.from(*callee, uncalled, open, known)?;
            if chain.bytes > deepest.bytes {
                deepest = chain;
            }
        }
        open.pop();
        deepest.bytes += function.frame;
        deepest.calls.insert(0, (function.name.clone(), function.frame));
        known.insert(at, deepest.clone());
        Ok(deepest)
    }
}

/// Frames by the address of their function, from the section `.stack_sizes`: an address, then a ULEB128 number.
fn stated_frames(elf: &[u8]) -> Option<BTreeMap<u64, u64>> {
    let file = object::File::parse(elf).ok()?;
    let section = file.section_by_name(".stack_sizes")?;
    let mut rest = section.data().ok()?;
    let mut frames = BTreeMap::new();
    while let Some((address, after)) = rest.split_first_chunk() {
        let len = after.iter().position(|byte| byte & 0x80 == 0)? + 1;
        let (number, after) = after.split_at(len);
        let frame = number.iter().rev().fold(0, |sum, byte| sum << 7 | u64::from(byte & 0x7f));
        // The lowest bit says Thumb.
        frames.insert(u64::from(u32::from_le_bytes(*address) & !1), frame);
        rest = after;
    }
    Some(frames)
}

/// `00000854 <name>:`
fn header(line: &str) -> Option<(u64, &str)> {
    let (address, name) = line.strip_suffix(">:")?.split_once(" <")?;
    Some((u64::from_str_radix(address, 16).ok()?, name))
}

/// Name and operands of `854: b5f0 push {r4, r5, r6, r7, lr}`, whose columns are apart by tabs.
fn instruction(line: &str) -> Option<(&str, &str)> {
    let mut columns = line.split('\t');
    columns.next()?.trim_end().strip_suffix(':')?;
    let (_, name) = (columns.next()?, columns.next()?);
    Some((name.trim_end(), columns.next().unwrap_or_default()))
}

/// `3806 <name>`
fn target(operands: &str) -> Option<u64> {
    u64::from_str_radix(operands.split_once(" <")?.0, 16).ok()
}

/// Bytes that an instruction puts on the stack.
fn pushed(name: &str, operands: &str) -> u64 {
    let number = || operands.split('#').nth(1)?.split([']', ' ', '\t', ';']).next()?.parse::<i64>().ok();
    let registers = || operands.rsplit('{').next().unwrap_or_default().trim_end_matches('}');
    match name {
        "push" | "vpush" => bytes_of(registers()),
        "stmdb" | "stmdb.w" if operands.starts_with("sp!") => bytes_of(registers()),
        "sub" | "sub.w" | "subw" if operands.starts_with("sp") => number().unwrap_or(0).unsigned_abs(),
        "str" | "str.w" | "strd" if operands.ends_with("]!") && operands.contains("[sp") => {
            number().unwrap_or(0).unsigned_abs()
        }
        _ => 0,
    }
}

/// `r4, r5, lr` or `d8-d9`.
fn bytes_of(registers: &str) -> u64 {
    let each = if registers.starts_with('d') { 8 } else { 4 };
    let index = |register: &str| register.trim_start_matches(char::is_alphabetic).parse::<u64>().unwrap_or(0);
    let count = |range: &str| match range.split_once('-') {
        Some((first, last)) => index(last) - index(first) + 1,
        None => 1,
    };
    registers.split(", ").map(count).sum::<u64>() * each
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISASSEMBLY: &str = "\
00000100 <main>:
     100:\tb5f0      \tpush\t{r4, r5, r6, r7, lr}
     102:\tf000 f000 \tbl\t200 <small>
     106:\tf000 f000 \tbl\t300 <large>
     10a:\te7f9      \tb.n\t100 <main>

00000200 <small>:
     200:\tb500      \tpush\t{lr}

00000300 <large>:
     300:\ted2d 8b04 \tvpush\t{d8-d9}
     304:\tb082      \tsub\tsp, #8
     306:\t4798      \tblx\tr3

00000400 <closure>:
     400:\te92d 41f0 \tstmdb\tsp!, {r4, r5, r6, r7, r8, lr}
";

    #[test]
    fn frames_are_summed_along_the_costliest_chain() {
        let graph = CallGraph::of(&BTreeMap::new(), DISASSEMBLY);
        let chain = graph.deepest("main").unwrap();
        let calls =
            [("main", 20), ("large", 24), ("closure", 24)].map(|(name, frame)| (name.to_owned(), frame));
        assert_eq!(chain, Chain { bytes: 68, calls: calls.to_vec() });
        assert!(graph.deepest("other").is_err());
    }

    #[test]
    fn what_the_compiler_states_counts() {
        let graph = CallGraph::of(&BTreeMap::from([(0x300, 1000)]), DISASSEMBLY);
        assert_eq!(graph.deepest("main").unwrap().bytes, 20 + 1000 + 24);
    }

    #[test]
    fn recursion_is_an_error() {
        let text = DISASSEMBLY.replace("push\t{lr}", "bl\t100 <main>");
        let graph = CallGraph::of(&BTreeMap::new(), &text);
        assert_eq!(graph.deepest("main").unwrap_err(), "main may call itself");
    }
}

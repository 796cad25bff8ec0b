//! The verifier of the running kernel accepts the programs.
use anyhow::Result;
use observer_common::craft::{Flow, frame};
use observer_tests::testrun::{Settings, load_or_skip};

#[test]
fn the_tc_programs_load_and_pass_no_verdict() -> Result<()> {
    let Some(mut programs) = load_or_skip(Settings::default())? else {
        return Ok(());
    };
    for program in ["from_pod", "to_pod", "empty"] {
        assert_eq!(programs.run(program, &[0; 64])?, -1, "{program}");
    }
    Ok(())
}

#[test]
fn both_kfree_skb_programs_load() -> Result<()> {
    let Some(mut programs) = load_or_skip(Settings::default())? else {
        return Ok(());
    };
    programs.load_kfree_skb("kfree_skb")?;
    // The older prototype is a prefix of the newer one, so this one loads wherever the tracepoint has BTF.
    programs.load_kfree_skb("kfree_skb_no_reason")
}

#[test]
fn debug_lines_are_made_when_asked_for() -> Result<()> {
    for (log, expect) in [(0, 0), (3, 0), (4, 2), (5, 2)] {
        let Some(mut programs) = load_or_skip(Settings {
            log,
            ..Settings::default()
        })?
        else {
            return Ok(());
        };
        // A SYN again, and a frame that ends in its tag.
        for packet in [Flow::v4().syn(1), Flow::v4().syn(1), frame(&[0x8100], &[])] {
            programs.run("from_pod", &packet)?;
        }
        assert_eq!(programs.log_lines()?, expect, "level {log}");
    }
    Ok(())
}

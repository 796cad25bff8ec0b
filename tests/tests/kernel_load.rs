//! The verifier of the running kernel accepts the programs.
use anyhow::Result;
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

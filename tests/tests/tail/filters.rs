//! Filters: values of one flag are OR, flags are AND.

use observer_tests::lab::{Family, Tail, dial, service};
use std::time::Duration;

use super::{Shop, shop, told};

/// What a tail with these flags tells of three dials: open port, closed port, and the Service.
fn told_with(shop: &Shop, flags: &[&str]) -> [bool; 3] {
    let everything = shop.observe(shop.tail());
    let filtered = shop.observe(flags.iter().fold(shop.tail(), |tail: Tail, flag| tail.arg(*flag)));
    let cart = shop.lab.pod("shop/cart").netns();
    let service = shop.lab.service("shop/api").at(Family::V4);
    let dials = [
        shop.dial(8080),
        shop.dial(8081),
        dial(cart, service, Duration::from_secs(1)),
    ];
    for dialled in &dials {
        told(&everything, dialled);
    }
    // Its end comes after everything that it had to tell.
    let records = filtered.interrupt().expect("an end").records;
    dials.map(|dialled| {
        records
            .iter()
            .any(|record| record["type"] == "attempt" && super::tells_of(record, &dialled))
    })
}

#[test]
fn filters_choose_attempts() {
    let Some(mut shop) = shop() else { return };
    shop.lab
        .add_service(service("shop/api", 80, 8080).ready("shop/api"))
        .expect("a service");
    let api = shop.lab.pod("shop/api").ip(Family::V4).to_string();
    let cases: &[(&[&str], [bool; 3])] = &[
        (&["-f"], [true, true, true]),
        (&["-n", "shop"], [true, true, true]),
        (&["-n", "other"], [false, false, false]),
        (&["--pod", "shop/ca"], [true, true, true]),
        (&["--pod", "default/cart"], [false, false, false]),
        (&["--from-pod", "shop/cart"], [true, true, true]),
        (&["--to-pod", "shop/cart"], [false, false, false]),
        (&["--port", "8081"], [false, true, false]),
        (&["--port", "8081", "--port", "80"], [false, true, true]),
        // The pod's own address, dialled by the port of its only Service, may have come by that Service.
        (&["--service", "shop/api"], [true, false, true]),
        (&["--outcome", "refused"], [false, true, false]),
        (&["--cause", "app-not-listening"], [false, true, false]),
        (&["--outcome", "refused", "--port", "8080"], [false, false, false]),
        (&["--not", "--outcome", "refused"], [true, false, true]),
        // As dialled or as translated: the Service became this address and port.
        (&["--ip", &api, "--port", "8080"], [true, false, true]),
        (&["--ip", "192.0.2.0/24"], [false, false, false]),
    ];
    for (flags, expected) in cases {
        assert_eq!(told_with(&shop, flags), *expected, "{flags:?}");
    }
}

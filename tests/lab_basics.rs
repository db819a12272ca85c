//! A lab is a real systemd of one's own, and leaves nothing behind.
#![cfg(feature = "lab")]

use rollctl::lab::Lab;

#[test]
fn runs_units_and_keeps_what_they_print() {
    let begun = std::time::Instant::now();
    let lab = Lab::start().unwrap();
    eprintln!("started in {:?}", begun.elapsed());
    lab.install("hello.service", "[Service]\nType=oneshot\nExecStart=echo hello from %n\n")
        .unwrap();
    lab.systemctl(["start", "hello"]).unwrap();
    assert_eq!(lab.log("hello.service"), "hello from hello.service\n");
    println!("{}", lab.systemctl(["list-units"]).unwrap());
    println!("{}", lab.manager_log());
    println!("{:?}", lab.command("busctl").args(["--user", "list"]).output());
}

//! Requests as bytes, valid, odd and hostile; what becomes of each; and whether its connection
//! serves on. The worker's answer is the same whatever app it serves.
//!
//! Behind each row the same request follows, as an attacker's would: it must be answered on a
//! connection that stays open, and never on one that does not.

use super::client::{Client, End};

/// What the app under test has at which path.
#[derive(Clone, Copy)]
pub struct Site {
    /// Answers GET and HEAD with 200.
    pub page: &'static str,
    /// Answers POST with 200 and what was posted.
    pub echo: &'static str,
}

/// One request, or several, and what becomes of it.
pub struct Row {
    pub name: &'static str,
    /// With `/page` and `/echo` where the site's own paths belong.
    pub bytes: Vec<u8>,
    pub expect: Expect,
}

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// These answers, and the connection serves on.
    Open(&'static [u16]),
    /// This answer of an app that does not read the content: then the connection serves on, or, when
    /// the content was not there yet, it is closed, and the answer says so.
    Unread(u16),
    /// These answers, and nothing more is read on the connection.
    Closed(&'static [u16]),
    /// The content is malformed: 400 and close; but when it comes after the answer has begun, that
    /// is cut before its end.
    Broken,
    /// The content is too much for hyper, which says so late: never a whole good answer.
    Cut,
}

use Expect::{Broken, Closed, Cut, Open, Unread};

/// How a row is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    AtOnce,
    ByteByByte,
}

/// More bytes than this are sent at once only.
const LONG: usize = 4096;

pub fn all() -> Vec<Row> {
    let groups = [
        valid(),
        lengths(),
        codings(),
        chunks(),
        line_ends(),
        fields(),
        hosts(),
        targets(),
        request_lines(),
        limits(),
        connections(),
    ];
    groups.into_iter().flatten().collect()
}

fn row(name: &'static str, bytes: impl Into<Vec<u8>>, expect: Expect) -> Row {
    Row { name, bytes: bytes.into(), expect }
}

/// A GET with these fields, each with its line end.
fn get(fields: &str) -> String {
    format!("GET /page HTTP/1.1\r\nhost: x\r\n{fields}\r\n")
}

/// A POST with these fields, and the content behind it.
fn post(fields: &str, content: &str) -> String {
    format!("POST /echo HTTP/1.1\r\nhost: x\r\n{fields}\r\n\r\n{content}")
}

fn chunked(content: &str) -> String {
    post("transfer-encoding: chunked", content)
}

/// A chunked body with `hello` in it, for rows that are about something else.
const HELLO: &str = "5\r\nhello\r\n0\r\n\r\n";

fn valid() -> Vec<Row> {
    vec![
        row("a GET", get(""), Open(&[200])),
        row("a HEAD, whose answer has no content", get("").replace("GET", "HEAD"), Open(&[200])),
        row("a POST with a length", post("content-length: 5", "hello"), Open(&[200])),
        row("a POST of nothing", post("content-length: 0", ""), Open(&[200])),
        row("a POST without any length", post("accept: */*", ""), Open(&[200])),
        row("a chunked POST", chunked(HELLO), Open(&[200])),
        row("a chunked POST of nothing", chunked("0\r\n\r\n"), Open(&[200])),
        row("a GET with content", get("content-length: 5\r\n") + "hello", Unread(200)),
        row(
            "a GET with chunked content",
            get("transfer-encoding: chunked\r\n") + HELLO,
            Unread(200),
        ),
        row(
            "three in a row",
            get("") + &post("content-length: 2", "ab") + &get(""),
            Open(&[200; 3]),
        ),
        // RFC 9112, 2.2: a server should ignore empty lines before a request.
        row("empty lines before a request", format!("\r\n\r\n{}", get("")), Open(&[200])),
        row("names in any case", get("ACCEPT: */*\r\nCoOkIe: a=b\r\n"), Open(&[200])),
        row("no blanks, many blanks, tabs", get("a:b\r\nc: \t d \t\r\n"), Open(&[200])),
        row("an empty value", get("a:\r\nb: \r\n"), Open(&[200])),
        row("a value that is no ASCII", get("a: \u{e9}\r\n"), Open(&[200])),
        row("every character a name may have", get("!#$%&'*+-.^_`|~09aZ: b\r\n"), Open(&[200])),
    ]
}

/// RFC 9110, 8.6, and RFC 9112, 6.3.
fn lengths() -> Vec<Row> {
    let length = |value: &str| post(&format!("content-length: {value}"), "hello");
    let twice = |a: &str, b: &str| length(&format!("{a}\r\ncontent-length: {b}"));
    vec![
        row("a length with zeros before it", length("0005"), Open(&[200])),
        row("a length among blanks", length("\t 5 \t"), Open(&[200])),
        // It may be taken for one field, or refused.
        row("the same length twice", twice("5", "5"), Open(&[200])),
        row("two lengths", twice("5", "6"), Closed(&[400])),
        row("two lengths, the first nothing", twice("0", "5"), Closed(&[400])),
        row("a list of the same length", length("5,5"), Closed(&[400])),
        row("a list of lengths", length("5, 6"), Closed(&[400])),
        row("no length in its field", length(""), Closed(&[400])),
        row("a signed length", length("+5"), Closed(&[400])),
        row("a negative length", length("-5"), Closed(&[400])),
        row("a length in hexadecimal", length("0x5"), Closed(&[400])),
        row("a length with a fraction", length("5.0"), Closed(&[400])),
        row("a length with a blank in it", length("1 5"), Closed(&[400])),
        row("a quoted length", length("\"5\""), Closed(&[400])),
        row("a length beyond 64 bits", length("18446744073709551621"), Closed(&[400])),
        row("a length far beyond 64 bits", length(&"9".repeat(99)), Closed(&[400])),
        row("the largest length of 64 bits", length("18446744073709551615"), Closed(&[431])),
        row("a blank before a length's colon", post("content-length : 5", "hello"), Closed(&[400])),
        row("a length on the next line", post("content-length:\r\n 5", "hello"), Closed(&[400])),
    ]
}

/// RFC 9112, 6.1 and 6.3.
fn codings() -> Vec<Row> {
    let coding = |value: &str| post(&format!("transfer-encoding: {value}"), HELLO);
    let two = |first: &str, second: &str| post(&format!("{first}\r\n{second}"), HELLO);
    let (length, chunked) = ("content-length: 5", "transfer-encoding: chunked");
    vec![
        // The shape of most smuggling: the one who reads the length and the one who reads the
        // chunks disagree on where the next request begins.
        row("a length, then chunked", two(length, chunked), Closed(&[400])),
        row("chunked, then a length", two(chunked, length), Closed(&[400])),
        row("chunked and no length at all", two(chunked, "content-length: x"), Closed(&[400])),
        row("chunked and length 0", two(chunked, "content-length: 0"), Closed(&[400])),
        row("chunked in capitals", coding("Chunked"), Open(&[200])),
        row("chunked among blanks", coding("\t chunked \t"), Open(&[200])),
        row("chunked twice", coding("chunked, chunked"), Closed(&[400])),
        row("chunked in two fields", two(chunked, chunked), Closed(&[400])),
        row("chunked, then another", coding("chunked, gzip"), Closed(&[400])),
        // A coding that a server does not know should be answered 501.
        row("another, then chunked", coding("gzip, chunked"), Closed(&[501])),
        row("another field, then chunked", two("transfer-encoding: gzip", chunked), Closed(&[501])),
        row("the coding that is none", coding("identity"), Closed(&[400])),
        row("none, then chunked", coding("identity, chunked"), Closed(&[501])),
        row("not quite chunked", coding("xchunked"), Closed(&[400])),
        row("chunked with a parameter", coding("chunked;q=1"), Closed(&[400])),
        row("chunked in quotes", coding("\"chunked\""), Closed(&[400])),
        row("chunked with a comma behind", coding("chunked,"), Closed(&[400])),
        row("chunked behind a vertical tab", coding("\x0bchunked"), Closed(&[400])),
        row("an empty coding", coding(""), Closed(&[400])),
        row("a blank before its colon", post("transfer-encoding : chunked", HELLO), Closed(&[400])),
        row(
            "a blank before its name",
            post("a: b\r\n transfer-encoding: chunked", HELLO),
            Closed(&[400]),
        ),
        row(
            "chunked on the next line",
            post("transfer-encoding:\r\n chunked", HELLO),
            Closed(&[400]),
        ),
        // RFC 9112, 6.1: HTTP/1.0 knows no codings, and somebody before us may not have seen it.
        row("chunked in HTTP/1.0", chunked_1_0(), Closed(&[400])),
    ]
}

fn chunked_1_0() -> String {
    chunked(HELLO).replace("HTTP/1.1", "HTTP/1.0")
}

/// RFC 9112, 7.1.
fn chunks() -> Vec<Row> {
    vec![
        row("sizes with zeros before them", chunked("0005\r\nhello\r\n000\r\n\r\n"), Open(&[200])),
        row(
            "sizes in either case",
            chunked(&format!("a\r\n{0}\r\nA\r\n{0}\r\n0\r\n\r\n", "0123456789")),
            Open(&[200]),
        ),
        row("an extension", chunked("5;a=\"b c\";d\r\nhello\r\n0;e\r\n\r\n"), Open(&[200])),
        // Not in the grammar, but sent by some, and read by all in the same way.
        row("a blank behind the size", chunked("5 \r\nhello\r\n0\t\r\n\r\n"), Open(&[200])),
        row("a trailer", chunked("5\r\nhello\r\n0\r\na: b\r\nc: d\r\n\r\n"), Open(&[200])),
        row("line ends as data", chunked("4\r\n\r\n\r\n\r\n0\r\n\r\n"), Open(&[200])),
        row("no size", chunked("\r\nhello\r\n0\r\n\r\n"), Broken),
        row("a size that is no number", chunked("x\r\nhello\r\n0\r\n\r\n"), Broken),
        row("a size with a prefix", chunked("0x5\r\nhello\r\n0\r\n\r\n"), Broken),
        row("a signed size", chunked("+5\r\nhello\r\n0\r\n\r\n"), Broken),
        row("a negative size", chunked("-5\r\nhello\r\n0\r\n\r\n"), Broken),
        row("a blank before the size", chunked(" 5\r\nhello\r\n0\r\n\r\n"), Broken),
        row("a size beyond 64 bits", chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"), Broken),
        row("a lone LF behind the size", chunked("5\nhello\r\n0\r\n\r\n"), Broken),
        row("a lone CR behind the size", chunked("5\rhello\r\n0\r\n\r\n"), Broken),
        row("a LF in an extension", chunked("5;a\nb\r\nhello\r\n0\r\n\r\n"), Broken),
        row("a CR in an extension", chunked("5;a\rb\r\nhello\r\n0\r\n\r\n"), Broken),
        row("a NUL in an extension", chunked("5;a\0b\r\nhello\r\n0\r\n\r\n"), Broken),
        row("no end of the data", chunked("5\r\nhello0\r\n\r\n"), Broken),
        row("a lone LF behind the data", chunked("5\r\nhello\n0\r\n\r\n"), Broken),
        row("a lone CR behind the data", chunked("5\r\nhello\r0\r\n\r\n"), Broken),
        row("more data than the size says", chunked("5\r\nhello!\r\n0\r\n\r\n"), Broken),
        row("a lone LF at the end", chunked("5\r\nhello\r\n0\r\n\n"), Broken),
        row("lone LFs at the end", chunked("5\r\nhello\r\n0\n\n"), Broken),
        row("a lone LF between trailers", chunked("0\r\na: b\nc: d\r\n\r\n"), Broken),
        row("a trailer that is none", chunked("5\r\nhello\r\n0\r\nab\r\n\r\n"), Broken),
        row("a trailer with a NUL", chunked("5\r\nhello\r\n0\r\na: \0\r\n\r\n"), Broken),
    ]
}

/// RFC 9112, 2.2: a lone LF may be taken for a line end, a lone CR must not. One who takes it and
/// one who does not see other fields; so here only CRLF ends a line.
fn line_ends() -> Vec<Row> {
    let lf = get("").replace("\r\n", "\n");
    vec![
        row("LF everywhere", lf, Closed(&[400])),
        row("a LF behind the request line", get("").replacen("\r\n", "\n", 1), Closed(&[400])),
        row("a LF between two fields", get("a: b\nc: d\r\n"), Closed(&[400])),
        row(
            "a LF before a coding",
            post("a: b\ntransfer-encoding: chunked", HELLO),
            Closed(&[400]),
        ),
        row("a LF that ends the head", get("a: b\r\n\n"), Closed(&[400])),
        row("a LF before the request", format!("\n{}", get("")), Closed(&[400])),
        row("a CR between two fields", get("a: b\rc: d\r\n"), Closed(&[400])),
        row("a CR too many", get("a: b\r\r\n"), Closed(&[400])),
        row("CR everywhere", get("").replace("\r\n", "\r"), Closed(&[400])),
        row("LF CR", get("a: b\n\r"), Closed(&[400])),
        row(
            "a good one, then LF everywhere",
            get("") + &get("").replace("\r\n", "\n"),
            Closed(&[200, 400]),
        ),
    ]
}

/// RFC 9112, 5, and RFC 9110, 5.5 and 5.6.2.
fn fields() -> Vec<Row> {
    vec![
        // RFC 9112, 5.2: a value that goes on in the next line must be refused or mended.
        row("a value on two lines", get("a: b\r\n c\r\n"), Closed(&[400])),
        row("a value on two lines, by a tab", get("a: b\r\n\tc\r\n"), Closed(&[400])),
        row(
            "a blank before the first field",
            "GET /page HTTP/1.1\r\n host: x\r\n\r\n",
            Closed(&[400]),
        ),
        row("a blank before the colon", get("a : b\r\n"), Closed(&[400])),
        row("a tab before the colon", get("a\t: b\r\n"), Closed(&[400])),
        row("no colon", get("a\r\n"), Closed(&[400])),
        row("no name", get(": b\r\n"), Closed(&[400])),
        row("a blank in a name", get("a b: c\r\n"), Closed(&[400])),
        row("a slash in a name", get("a/b: c\r\n"), Closed(&[400])),
        row("a name in quotes", get("\"a\": c\r\n"), Closed(&[400])),
        row("a name that is no ASCII", get("\u{e9}: c\r\n"), Closed(&[400])),
        row("a NUL in a name", get("a\0: c\r\n"), Closed(&[400])),
        row("a NUL in a value", get("a: b\0c\r\n"), Closed(&[400])),
        row("a control character in a value", get("a: b\x01c\r\n"), Closed(&[400])),
        row("a DEL in a value", get("a: b\x7fc\r\n"), Closed(&[400])),
    ]
}

/// RFC 9112, 3.2, and RFC 9110, 7.2.
fn hosts() -> Vec<Row> {
    let hosts = |fields: &str| format!("GET /page HTTP/1.1\r\n{fields}\r\n");
    let host = |value: &str| hosts(&format!("host: {value}\r\n"));
    vec![
        row("a host with a port", host("example.org:8080"), Open(&[200])),
        row("an IPv6 host", host("[::1]:80"), Open(&[200])),
        row("an empty host: the target has none", host(""), Open(&[200])),
        row("no host", hosts(""), Closed(&[400])),
        row("no host, in HTTP/1.0", hosts("").replace("1.1", "1.0"), Closed(&[200])),
        row("two hosts", hosts("host: a\r\nhost: b\r\n"), Closed(&[400])),
        row("the same host twice", hosts("host: a\r\nHost: a\r\n"), Closed(&[400])),
        row("two hosts in one field", host("a, b"), Closed(&[400])),
        row("a host with a path", host("a/b"), Closed(&[400])),
        row("a host with a user", host("user@a"), Closed(&[400])),
        row("a host with a blank", host("a b"), Closed(&[400])),
        row("a port that is none", host("a:b"), Closed(&[400])),
        row("half an IPv6 host", host("[::1"), Closed(&[400])),
    ]
}

/// RFC 9112, 3.2.
fn targets() -> Vec<Row> {
    let target = |target: &str| format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n");
    let options = |of: &str| target(of).replace("GET", "OPTIONS");
    vec![
        row("a query", target("/page?a=b&c"), Open(&[200])),
        // A server must accept it, and what it says goes before Host.
        row("a whole URI", target("http://x/page"), Open(&[200])),
        row("a whole URI of another host", target("http://y:80/page"), Open(&[200])),
        row(
            "a whole URI without a host beside it",
            target("http://x/page").replace("host: x\r\n", ""),
            Closed(&[400]),
        ),
        row("a whole URI with a user", target("http://user@x/page"), Closed(&[400])),
        row("a host alone", target("x:80"), Closed(&[400])),
        row("an asterisk", target("*"), Closed(&[400])),
        row("an asterisk with something", options("*/page"), Closed(&[400])),
        row("a path without a slash", target("page/x"), Closed(&[400])),
        row("a query alone", target("?a=b"), Closed(&[400])),
        row("a path with a blank", target("/page x"), Closed(&[400])),
        row("a path with a control character", target("/page\x01"), Closed(&[400])),
        row("a path with a NUL", target("/page\0"), Closed(&[400])),
        row("a path with a lone CR", target("/page\rx"), Closed(&[400])),
        row(
            "a path that is not even UTF-8",
            b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n",
            Closed(&[400]),
        ),
        // RFC 9110, 9.3.6: what follows it would be no HTTP.
        row("CONNECT", "CONNECT x:80 HTTP/1.1\r\nhost: x:80\r\n\r\n", Closed(&[501])),
        row("CONNECT of a path", "CONNECT /page HTTP/1.1\r\nhost: x\r\n\r\n", Closed(&[501])),
    ]
}

/// RFC 9112, 2.3 and 3.
fn request_lines() -> Vec<Row> {
    let line = |line: &str| format!("{line}\r\nhost: x\r\n\r\n");
    let version = |version: &str| line(&format!("GET /page {version}"));
    vec![
        row("HTTP/1.0", version("HTTP/1.0"), Closed(&[200])),
        row("HTTP/1.2", version("HTTP/1.2"), Closed(&[400])),
        row("HTTP/2.0", version("HTTP/2.0"), Closed(&[400])),
        row("HTTP/1.10", version("HTTP/1.10"), Closed(&[400])),
        row("HTTP/1", version("HTTP/1"), Closed(&[400])),
        row("http/1.1", version("http/1.1"), Closed(&[400])),
        row("a version of something else", version("HTTPS/1.1"), Closed(&[400])),
        row("HTTP/0.9", "GET /page\r\n\r\n", Closed(&[400])),
        row("two blanks before the path", line("GET  /page HTTP/1.1"), Closed(&[400])),
        row("two blanks behind it", line("GET /page  HTTP/1.1"), Closed(&[400])),
        row("a tab", line("GET\t/page HTTP/1.1"), Closed(&[400])),
        row("a blank before it", line(" GET /page HTTP/1.1"), Closed(&[400])),
        row("a blank behind it", line("GET /page HTTP/1.1 "), Closed(&[400])),
        row("no method", line("/page HTTP/1.1"), Closed(&[400])),
        row("a method with a bracket", line("G(T /page HTTP/1.1"), Closed(&[400])),
        row("a method with a NUL", line("G\0T /page HTTP/1.1"), Closed(&[400])),
        row("nothing but NULs", "\0\0\0\0\r\n\r\n", Closed(&[400])),
        row("an answer", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Closed(&[400])),
        row("half a preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", Closed(&[400])),
        row(
            "half a preface behind a request",
            get("") + "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
            Closed(&[200, 400]),
        ),
        row(
            "the beginning of TLS",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
            Closed(&[400]),
        ),
    ]
}

/// RFC 9110, 5.4 and 15.5.15, and RFC 6585, 5.
fn limits() -> Vec<Row> {
    let long = |length| format!("GET /page?{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(length));
    vec![
        // A few less than a worker takes: in front of an app it adds some.
        row("90 fields", get(&"a: b\r\n".repeat(89)), Open(&[200])),
        row("101 fields", get(&"a: b\r\n".repeat(100)), Closed(&[431])),
        row("a field of 60 KiB", get(&format!("a: {}\r\n", "b".repeat(60 << 10))), Open(&[200])),
        row("a field of 70 KiB", get(&format!("a: {}\r\n", "b".repeat(70 << 10))), Closed(&[431])),
        row("a target of 60 KiB", long(60 << 10), Open(&[200])),
        row("a target of 70 KiB", long(70 << 10), Closed(&[431])),
        row(
            "extensions of 20 KiB",
            chunked(&format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(20 << 10))),
            Cut,
        ),
        row(
            "a trailer of 20 KiB",
            chunked(&format!("0\r\na: {}\r\n\r\n", "b".repeat(20 << 10))),
            Cut,
        ),
    ]
}

/// RFC 9112, 9, and RFC 9110, 7.6.1, 7.8 and 10.1.1.
fn connections() -> Vec<Row> {
    let old = |fields: &str| format!("GET /page HTTP/1.0\r\n{fields}\r\n");
    let upload = |path: &str| post("content-length: 5", "hello").replace("/echo", path);
    vec![
        row("a last request", get("connection: close\r\n"), Closed(&[200])),
        row("a last one among others", get("connection: a, Close\r\n"), Closed(&[200])),
        row(
            "close goes before keep-alive",
            get("connection: close\r\nconnection: keep-alive\r\n"),
            Closed(&[200]),
        ),
        row(
            "a last one with content",
            post("content-length: 5\r\nconnection: close", "hello"),
            Closed(&[200]),
        ),
        row("HTTP/1.0 kept alive", old("connection: keep-alive\r\n"), Open(&[200])),
        row(
            "an upgrade to the unknown",
            get("connection: upgrade\r\nupgrade: x/1\r\n"),
            Open(&[200]),
        ),
        row("an upgrade without saying to what", get("connection: upgrade\r\n"), Open(&[200])),
        row(
            "an upgrade in HTTP/1.0",
            old("connection: upgrade\r\nupgrade: x/1\r\n"),
            Closed(&[200]),
        ),
        row(
            "content that is waited for",
            post("content-length: 5\r\nexpect: 100-continue", "hello"),
            Open(&[200]),
        ),
        row(
            "nothing that is waited for",
            post("content-length: 0\r\nexpect: 100-continue", ""),
            Open(&[200]),
        ),
        row(
            "an expectation in HTTP/1.0",
            post("content-length: 5\r\nexpect: 100-continue", "hello").replace("1.1", "1.0"),
            Closed(&[200]),
        ),
        row(
            "chunked content, waited for",
            post("transfer-encoding: chunked\r\nexpect: 100-continue", HELLO),
            Open(&[200]),
        ),
        // What the app does not read must not become a request of its own.
        row(
            "a request as content",
            post("content-length: 43", "GET /evil HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1"),
            Open(&[200]),
        ),
        row(
            "a request as a chunk",
            chunked(&format!("1f\r\n{}\r\n0\r\n\r\n", "GET /evil HTTP/1.1\r\nhost: a\r\n\r\n")),
            Open(&[200]),
        ),
        row(
            "a last request, then one more",
            get("connection: close\r\n") + &upload("/echo"),
            Closed(&[200]),
        ),
    ]
}

const FOLLOWS: &str = "POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
    content-length: 5\r\n\r\nafter";

/// Sends a row, and what follows, on a connection of its own; says what is wrong with the answers.
pub fn check(row: &Row, pace: Pace, site: Site, mut client: Client) -> Result<(), String> {
    let bytes = at(site, &row.bytes);
    let follows = at(site, FOLLOWS.as_bytes());
    match pace {
        Pace::AtOnce => client.sends_what_goes([bytes, follows].concat()),
        Pace::ByteByByte if bytes.len() > LONG => return Ok(()),
        Pace::ByteByByte => {
            bytes.chunks(1).for_each(|byte| client.sends_what_goes(byte));
            client.sends_what_goes(follows);
        }
    }
    let end = client.sees_end();
    let (End::Closed(text) | End::Reset(text)) = &end;
    let answers = answers(text, row.bytes.starts_with(b"HEAD"));
    let statuses = answers.as_ref().map(Vec::as_slice);
    let is_last = matches!(end, End::Closed(_));
    let goes_on = |expected: &[u16]| {
        statuses == Ok([expected, &[200]].concat().as_slice()) && text.ends_with("after")
    };
    let is_right = match row.expect {
        Open(expected) => goes_on(expected),
        Unread(status) => {
            goes_on(&[status]) || (statuses == Ok(&[status]) && text.contains("connection: close"))
        }
        Closed(expected) => statuses == Ok(expected) && is_last,
        Broken if pace == Pace::AtOnce => statuses == Ok(&[400]) && is_last,
        Broken | Cut => matches!(statuses, Ok([] | [400]) | Err(_)) && !text.contains("after"),
    };
    if is_right {
        return Ok(());
    }
    let seen = &text[..text.len().min(1000)];
    Err(format!("{} ({pace:?}): expected {:?}, got {seen:?}", row.name, row.expect))
}

/// The bytes with the site's own paths in them.
fn at(site: Site, bytes: &[u8]) -> Vec<u8> {
    let mut moved = Vec::new();
    let mut rest = bytes;
    while let Some((first, more)) = rest.split_first() {
        let path = [(&b"/page"[..], site.page), (b"/echo", site.echo)];
        let found = path.into_iter().find(|(name, _)| rest.starts_with(name));
        rest = match found {
            Some((name, path)) => {
                moved.extend(path.bytes());
                &rest[name.len()..]
            }
            None => {
                moved.push(*first);
                more
            }
        };
    }
    moved
}

/// The statuses of all final answers, each whole; `Err`: of those before the one that is not.
pub fn answers(text: &str, first_is_head: bool) -> Result<Vec<u16>, Vec<u16>> {
    let (mut statuses, mut rest) = (vec![], text);
    while !rest.is_empty() {
        let has_content = !(first_is_head && statuses.is_empty());
        match answer(rest, has_content) {
            Some((status, behind)) => {
                statuses.extend((status != 100).then_some(status));
                rest = behind;
            }
            None => return Err(statuses),
        }
    }
    Ok(statuses)
}

/// One whole answer, and the bytes behind it.
fn answer(text: &str, has_content: bool) -> Option<(u16, &str)> {
    let (head, mut rest) = text.split_once("\r\n\r\n")?;
    let head = head.to_ascii_lowercase();
    let status = head.strip_prefix("http/1.")?.get(2..5)?.parse().ok()?;
    let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    if status == 100 || !has_content {
        return Some((status, rest));
    }
    if value("transfer-encoding: chunked").is_none() {
        let length = value("content-length: ").map_or(0, |length| length.parse().unwrap());
        return Some((status, rest.get(length..)?));
    }
    loop {
        let (size, data) = rest.split_once("\r\n")?;
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = data.get(size..)?.strip_prefix("\r\n")?;
        if size == 0 {
            return Some((status, rest));
        }
    }
}

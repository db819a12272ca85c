//! A second opinion: how many requests some bytes hold, read as strictly as RFC 9112 allows.

/// How many heads are there that a server may answer; it may refuse any of them, and must not read
/// behind the first that is not sound.
pub fn may_be_answered(bytes: &[u8]) -> usize {
    let (mut rest, mut heads) = (bytes, 0);
    while let Some((head, content)) = head(rest) {
        heads += 1;
        let behind = match head {
            Content::Length(length) => content.get(length..),
            Content::Chunked => behind_chunks(content),
        };
        let Some(behind) = behind else { break };
        rest = behind;
    }
    heads
}

enum Content {
    Length(usize),
    Chunked,
}

/// A line up to its CRLF, which holds no other CR, LF or NUL.
fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let line = str::from_utf8(&bytes[..end]).ok()?;
    (!line.contains(['\r', '\n', '\0'])).then_some((line, &bytes[end + 2..]))
}

fn head(mut bytes: &[u8]) -> Option<(Content, &[u8])> {
    while let Some(behind) = bytes.strip_prefix(b"\r\n") {
        bytes = behind;
    }
    let (request_line, mut rest) = line(bytes)?;
    let (_, version) = request_line.rsplit_once(' ')?;
    let mut fields = vec![];
    loop {
        let (field, behind) = line(rest)?;
        rest = behind;
        if field.is_empty() {
            break;
        }
        let (name, value) = field.split_once(':')?;
        let is_name = !name.is_empty() && !name.contains([' ', '\t', ';', '/']);
        fields.push(is_name.then(|| (name.to_lowercase(), value.trim_matches([' ', '\t'])))?);
    }
    let all = |wanted| fields.iter().filter(move |(name, _)| name == wanted).map(|field| field.1);
    let hosts = all("host").count();
    let is_host = hosts == 1 || (hosts == 0 && version == "HTTP/1.0");
    let lengths: Vec<_> = all("content-length").collect();
    let codings: Vec<_> = all("transfer-encoding").collect();
    let content = match (&lengths[..], &codings[..]) {
        ([], []) => Content::Length(0),
        ([first, others @ ..], []) => {
            let is_one = first.bytes().all(|byte| byte.is_ascii_digit());
            let agree = others.iter().all(|other| other.parse() == first.parse::<usize>());
            (is_one && agree).then(|| first.parse().ok().map(Content::Length))??
        }
        ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => Content::Chunked,
        _ => return None,
    };
    is_host.then_some((content, rest))
}

fn behind_chunks(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let (size, data) = line(bytes)?;
        let size = size.split(';').next().unwrap_or(size).trim_end_matches([' ', '\t']);
        let is_size = size.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = is_size.then(|| usize::from_str_radix(size, 16).ok())??;
        if size == 0 {
            return behind_trailers(data);
        }
        bytes = data.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

fn behind_trailers(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let (field, behind) = line(bytes)?;
        bytes = behind;
        if field.is_empty() {
            return Some(bytes);
        }
        let (name, _) = field.split_once(':')?;
        (!name.is_empty() && !name.contains([' ', '\t', ';', '/'])).then_some(())?;
    }
}

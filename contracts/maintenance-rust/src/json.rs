//! Writes a JSON text: compact, in the order of the calls, commas set by itself.

use crate::abi::alloc;

pub struct Json {
    buf: &'static mut [u8],
    len: usize,
}

impl Json {
    pub fn new() -> Json {
        Json { buf: alloc(512), len: 0 }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.buf[..self.len]
    }

    #[inline(never)]
    fn put(&mut self, text: &[u8]) {
        if text.len() > self.buf.len() - self.len {
            let larger = alloc(2 * self.buf.len() + text.len());
            larger[..self.len].copy_from_slice(&self.buf[..self.len]);
            self.buf = larger;
        }
        self.buf[self.len..self.len + text.len()].copy_from_slice(text);
        self.len += text.len();
    }

    /// Sets a comma unless the value is the first of its object or array or
    /// follows its key.
    #[inline(never)]
    fn comma(&mut self) {
        match self.bytes().last() {
            None | Some(b'{' | b'[' | b':') => {}
            Some(_) => self.put(b","),
        }
    }

    fn raw(&mut self, value: &str) {
        self.comma();
        self.put(value.as_bytes());
    }

    pub fn object(&mut self) {
        self.raw("{");
    }

    pub fn end_object(&mut self) {
        self.put(b"}");
    }

    pub fn array(&mut self) {
        self.raw("[");
    }

    pub fn end_array(&mut self) {
        self.put(b"]");
    }

    pub fn key(&mut self, name: &str) -> &mut Json {
        self.raw("\"");
        self.put(name.as_bytes());
        self.put(b"\":");
        self
    }

    pub fn null(&mut self) {
        self.raw("null");
    }

    pub fn bool(&mut self, v: bool) {
        self.raw(if v { "true" } else { "false" });
    }

    pub fn uint(&mut self, v: u64) {
        let mut digits = [0; 20];
        self.comma();
        self.put(decimal_digits(v, &mut digits));
    }

    pub fn int(&mut self, v: i64) {
        let mut digits = [0; 20];
        self.comma();
        if v < 0 {
            self.put(b"-");
        }
        self.put(decimal_digits(v.unsigned_abs(), &mut digits));
    }

    /// A string: quotes, backslashes and control characters are escaped.
    #[inline(never)]
    pub fn text(&mut self, s: &[u8]) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        self.raw("\"");
        let mut plain = 0; // start of what is not yet written
        for (i, &c) in s.iter().enumerate() {
            if c >= 0x20 && c != b'"' && c != b'\\' {
                continue;
            }
            self.put(&s[plain..i]);
            if c < 0x20 {
                self.put(&[b'\\', b'u', b'0', b'0', HEX[usize::from(c >> 4)], HEX[usize::from(c & 15)]]);
            } else {
                self.put(&[b'\\', c]);
            }
            plain = i + 1;
        }
        self.put(&s[plain..]);
        self.put(b"\"");
    }

    pub fn string(&mut self, s: &str) {
        self.text(s.as_bytes());
    }
}

/// The decimal digits of a number, at the end of the given room.
pub fn decimal_digits(mut v: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (v % 10) as u8;
        v /= 10;
        if v == 0 || at == 0 {
            return &digits[at..];
        }
    }
}

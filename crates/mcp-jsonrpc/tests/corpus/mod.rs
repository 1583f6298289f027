//! JSON texts that every reader must accept, and texts that none may.
//!
//! Chosen in the manner of the well-known collections: one point each.

pub(crate) const VALID: &[&[u8]] = &[
    // Literals and blanks.
    b"null", b"true", b"false", b" null ", b"\ttrue\r\n", b"\n\n[\n]\n",
    // Numbers.
    b"0", b"-0", b"1", b"-1", b"10", b"123", b"1234567890123456789012345", b"0.0", b"-0.0", b"0.1", b"1.0", b"1.10",
    b"-1.5", b"1e0", b"1E0", b"1e5", b"1e+5", b"1e-5", b"1E+05", b"1E-00", b"0e1", b"0E-1", b"-0e+1", b"0.5e10", b"1.5E-3",
    b"1e400", b"-1e400", b"1e-400", b"0.00000000000000000000000000000000000000000001", b"20e1", b"[-0]", b"[1 ]", b"[ 1]",
    // Strings.
    br#""""#, br#"" ""#, br#""a""#, br#""\"""#, br#""\\""#, br#""\/""#, br#""/""#, br#""\b\f\n\r\t""#, br#""\u0000""#,
    br#""\u0001""#, br#""\u001F""#, br#""\u0020""#, br#""\u0022""#, br#""\u005C""#, br#""\u0061""#, br#""\u00e9""#,
    br#""\u20AC""#, br#""\uFFFF""#, br#""\uFFFE""#, br#""\uFDD0""#, br#""\uD834\uDD1E""#, br#""\ud83d\ude39\ud83d\udc8d""#,
    br#""\\u0061""#, br#""\\\\""#, br#""\\\"""#, br#""\\n""#, br#""a/*b*/c""#, br#""//""#, br#""new\u00A0line""#, b"\"\x7f\"",
    "\"\u{80}\"".as_bytes(), "\"é\"".as_bytes(), "\"€\"".as_bytes(), "\"😀\"".as_bytes(), "\"\u{2028}\"".as_bytes(),
    "\"\u{2029}\"".as_bytes(), "\"\u{feff}\"".as_bytes(), "\"\u{10ffff}\"".as_bytes(), "\"\u{ffff}\"".as_bytes(),
    "\"\u{7ff}\u{800}\u{d7ff}\u{e000}\"".as_bytes(), br#""{}[],:""#, br#""'""#, br#""null""#,
    br#""xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx""#,
    br#""xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"x""#,
    // Arrays.
    b"[]", b"[ ]", b"[[]]", b"[[],[]]", b"[1]", b"[1,2]", b"[1,null,true,\"x\",{}]", b"[\"\"]", b"[[[[[[[[[[]]]]]]]]]]",
    b" [1] ", b"[1,\n2]", b"[1\r,2]", b"[\"a\",\n\"b\"]", b"[false]", b"[null,null]", b"[[1],[2,[3]]]", b"[{}]",
    // Objects.
    b"{}", b"{ }", br#"{"a":1}"#, br#"{"":0}"#, br#"{"a":1,"b":2}"#, br#"{"a":1,"a":1}"#, br#"{"a":1,"a":2}"#,
    br#"{"a":{"b":{"c":{}}}}"#, br#"{"a":[]}"#, br#"{"a":[{"b":[{}]}]}"#, br#"{"a" : 1 , "b" : [ 2 ] }"#,
    b"{\n\"a\"\n:\n1\n}", b"{\r\n\"a\":\r\n1\r\n}", br#"{"\u0061":1}"#, br#"{"a\u0000b":1}"#, br#"{"\"":1}"#, br#"{"\\":1}"#,
    "{\"é\":1}".as_bytes(), br#"{"min":-1.0e+28,"max":1.0e+28}"#, br#"{"id":{"id":{"id":1}}}"#, br#"{"a":"}"}"#,
    br#"{"x":[{"id":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}],"id":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}"#,
    // Lone surrogates are grammar; what they mean is for whoever decodes.
    br#""\ud800""#, br#""\udc00""#, br#""\ud800\ud800""#, br#""\udc00\ud800""#, br#""\ud800x""#, br#""\ud800\n""#, br#"{"\ud800":1}"#,
    br#"["\uDFAA"]"#,
];

pub(crate) const INVALID: &[&[u8]] = &[
    // Nothing, and what is no value.
    b"", b" ", b"\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf{}", b"\0", b"x", b"a", b"*", b"'a'", b"`a`", b"undefined", b"//", b"/**/", b"#",
    b"[", b"]", b"{", b"}", b",", b":", b"\"", b"\\", b"-", b"+", b".", b"e", b"<.>", b"\xe2\x81\xa0", b"\x0c1", b"1\x0c",
    // Literals.
    b"nul", b"nulll", b"Null", b"NULL", b"tru", b"True", b"TRUE", b"truth", b"fals", b"falsey", b"False", b"n", b"t", b"f", b"nan",
    b"NaN", b"-NaN", b"Infinity", b"-Infinity", b"inf", b"None",
    // Numbers.
    b"01", b"-01", b"00", b"012", b"-012", b"1.", b"-1.", b"0.", b".5", b"-.5", b"1.e1", b"0.e1", b".e1", b"1e", b"1E", b"1e+", b"1e-",
    b"1e1.", b"1e1.5", b"1.5.5", b"1ee1", b"1e+-1", b"+1", b"++1", b"--1", b"-+1", b"- 1", b"1 000", b"1,000", b"1_000", b"0x1",
    b"0b1", b"1f", b"1L", b"1a", b"-a", b"0a", b"1.a", b"1ea", b"\xef\xbc\x91", b"[1.]", b"[-]", b"[.1]", b"[1e]", b"[00]", b"[+1]",
    // Strings.
    br#""a"#, br#"a""#, br#""\""#, br#""\\\""#, br#""\x41""#, br#""\a""#, br#""\v""#, br#""\0""#, br#""\'""#, br#""\U0041""#, br#""\u""#, br#""\u0""#,
    br#""\u00""#, br#""\u004""#, br#""\u00g0""#, br#""\u 041""#, br#""\u+041""#, br#""\u{41}""#, br#""\ud834\u""#, br#""\ud834\u1""#, br#""\"#, b"\"\n\"",
    b"\"\r\"", b"\"\t\"", b"\"\0\"", b"\"\x1f\"", b"\"a\x01b\"", b"\"\\\n\"", br#""a""b""#, br#""a" "b""#, br#"'a'"#, b"\"\xff\"", b"\"\x80\"",
    b"\"\xc0\x80\"", b"\"\xc3\"", b"\"\xe2\x82\"", b"\"\xed\xa0\x80\"", b"\"\xf0\x82\x82\xac\"", b"\"\xf5\x80\x80\x80\"", b"\"\xc3\x28\"", b"\xff",
    b"\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\nxxxx\"",
    b"\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    // Arrays.
    b"[1", b"[1,", b"[1,]", b"[,1]", b"[,]", b"[1,,2]", b"[1 2]", b"[1;2]", b"[1:2]", b"[\"a\":1]", b"[1}", b"[1]]", b"[[1]", b"[]]", b"[][]", b"[] []",
    b"[1]x", b"[x]", b"[\"a]", b"[1\0]", b"[\x0b]", b"[\x0c]", b"[\xa0]", b"[1,\n", b"[\"\"", b"[\"\",", b"[*]", b"[(1)]", b"[1/**/]", b"[nul]",
    // Objects.
    b"{\"a\"", b"{\"a\":", b"{\"a\":1", b"{\"a\":1,", b"{\"a\":1,}", b"{,}", b"{,\"a\":1}", b"{\"a\"}", b"{\"a\",\"b\"}", b"{\"a\" 1}", b"{\"a\"::1}", b"{\"a\":1:2}",
    b"{\"a\":1 \"b\":2}", b"{\"a\":1,,\"b\":2}", b"{\"a\":1;\"b\":2}", b"{a:1}", b"{'a':1}", b"{1:1}", b"{null:1}", b"{[]:1}", b"{{}:1}", b"{\"a\":}", b"{:1}", b"{\"a\":1]",
    b"{\"a\":1}}", b"{\"a\":1}{", b"{}{}", b"{}x", b"{}#", b"{}//", b"{\"a\":x}", b"{\"a\":'b'}", b"{\"a\"=1}", b"{\"a\":1,\"b\"}", b"{\"a\":\"b}", b"{\"\\x\":1}", b"{\"a\n\":1}",
    b"{\"a\":1}/**/", b"{\"a\":/**/1}", b"{\"\xff\":1}", b"{\"a\":[}", b"{\"a\":[]", b"{]", b"[}",
];

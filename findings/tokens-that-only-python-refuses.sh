#!/usr/bin/env bash
# A token that jsonwebtoken 9.0.3 issues and that it and jose 6.2.18 accept, PyJWT 2.15.1 refuses: if its issuer's clock is
# some seconds ahead, if its subject is a number, or if it names an audience.
#
# Expected: three libraries with their defaults agree on a token that one of them issues; `iat` tells a token's age and no
# more (RFC 7519 gives it no rule), and what has to do with a time is the same in all. Seen: PyJWT alone takes an `iat` in the
# future for "not yet valid", so that a fresh token is refused for as long as the two machines' clocks differ. A `sub` like
# 42, which jsonwebtoken signs, and an `aud` that the verifier was not told are refused by the letter of the RFC, which
# neither of the others follows. So a token that pages and Node servers exchange fails at the first Python bot. What helps:
# `leeway`, a text as subject, and `audience` at both ends.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --ignore-scripts --no-audit --no-fund --silent jsonwebtoken@9.0.3 jose@6.2.18
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check PyJWT==2.15.1
cat >verify.py <<'PY'
import sys

import jwt

try:
    jwt.decode(sys.argv[1], sys.argv[2], algorithms=["HS256"])
    print("accepted")
except jwt.InvalidTokenError as error:
    print(type(error).__name__)
PY
cat >run.mjs <<'JS'
import { spawnSync } from "child_process";
import { jwtVerify } from "jose";
import jsonwebtoken from "jsonwebtoken";

const key = "0123456789abcdef0123456789abcdef";
const now = Math.floor(Date.now() / 1000);
const tokens = {
  "a plain token": { sub: "alice" },
  "an issuer 30 s ahead": { sub: "alice", iat: now + 30 },
  "a number as subject": { sub: 42 },
  "an audience": { sub: "alice", aud: "chat" },
  "an expired token": { sub: "alice", exp: now - 30 },
};

for (const [name, claims] of Object.entries(tokens)) {
  const token = jsonwebtoken.sign({ exp: now + 3600, ...claims }, key);
  const seen = [];
  try {
    jsonwebtoken.verify(token, key);
    seen.push("accepted");
  } catch (error) {
    seen.push(error.name);
  }
  seen.push(await jwtVerify(token, new TextEncoder().encode(key)).then(() => "accepted", ({ code }) => code));
  seen.push(spawnSync("python/bin/python", ["verify.py", token, key]).stdout.toString().trim());
  console.log(`${name}: jsonwebtoken ${seen[0]}, jose ${seen[1]}, PyJWT ${seen[2]}`);
}
JS
cat >expected <<'TEXT'
a plain token: jsonwebtoken accepted, jose accepted, PyJWT accepted
an issuer 30 s ahead: jsonwebtoken accepted, jose accepted, PyJWT ImmatureSignatureError
a number as subject: jsonwebtoken accepted, jose accepted, PyJWT InvalidSubjectError
an audience: jsonwebtoken accepted, jose accepted, PyJWT InvalidAudienceError
an expired token: jsonwebtoken TokenExpiredError, jose ERR_JWT_EXPIRED, PyJWT ExpiredSignatureError
TEXT
node run.mjs | tee seen
diff expected seen && echo "as described: Node $(node --version)"

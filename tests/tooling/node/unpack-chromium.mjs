// Unpacks the browser inside @sparticuz/chromium, with the libraries and fonts that a bare machine lacks, into TMPDIR.
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { inflate } from "@sparticuz/chromium";

const packed = join(dirname(fileURLToPath(import.meta.resolve("@sparticuz/chromium"))), "..", "bin");
await Promise.all((await readdir(packed)).map((name) => inflate(join(packed, name))));

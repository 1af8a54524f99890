//! Every bound that both sides of a wire must agree on, on one page.
//!
//! Bounds that only the server knows (queue lengths, time-outs) are settings and live with the settings.

/// Longest account or repository name, in bytes. The Hub's own limit is 96.
pub const NAME_BYTES: usize = 96;
/// Longest e-mail address, in bytes (RFC 5321, 4.5.3.1).
pub const EMAIL_BYTES: usize = 254;
/// Longest address of a webhook, in bytes.
pub const URL_BYTES: usize = 2048;
/// Most webhooks of one repository.
pub const WEBHOOKS: usize = 20;
/// Longest path of a file inside a repository, in bytes.
pub const PATH_BYTES: usize = 1024;
/// Longest name of a branch or tag, in bytes.
pub const REF_BYTES: usize = 255;
/// Longest commit title, in bytes; the rest of a message is its description.
pub const TITLE_BYTES: usize = 500;
/// Longest commit description, in bytes.
pub const DESCRIPTION_BYTES: usize = 64 * 1024;
/// Longest comment in a discussion, in bytes.
pub const COMMENT_BYTES: usize = 64 * 1024;
/// Most files named by one preupload, as `huggingface_hub` sends them.
pub const PREUPLOAD_FILES: usize = 256;
/// Most files changed by one commit.
pub const COMMIT_FILES: usize = 25_000;
/// Most commits of a repository that is copied, and most files of all these commits together.
pub const COPIED_REVISIONS: i64 = 10_000;
pub const COPIED_FILES: i64 = 1_000_000;
/// Most terms of a file that is sent in chunks.
pub const FILE_TERMS: usize = 200_000;
/// Smallest file that is offered to be fetched in chunks, in bytes: of a smaller one a plain request is quicker.
pub const FETCHED_IN_CHUNKS: u64 = 1024 * 1024;
/// Longest card (`README.md`) that is read for its front matter and rendered, in bytes.
pub const CARD_BYTES: usize = 1024 * 1024;
/// Longest manifest (`reenact.toml`), in bytes.
pub const MANIFEST_BYTES: usize = 1024 * 1024;
/// Most entries in one page of any list.
pub const PAGE_ENTRIES: usize = 1000;
/// Most dimensions of a tensor.
pub const TENSOR_DIMENSIONS: usize = 8;
/// Most tensors in one inference request or answer.
pub const REQUEST_TENSORS: usize = 256;
/// Most values of a row that a model can be asked with one by one; wider ones take tensors.
pub const ROW_VALUES: usize = 1 << 20;
/// Longest text by which a client calls a request whose answer comes in pieces, in bytes.
pub const REQUEST_ID_BYTES: usize = 256;
/// Largest frame between gateway and runtime, in bytes, header included.
pub const FRAME_BYTES: usize = 256 * 1024 * 1024;
/// Most bytes of an answer that comes in pieces.
pub const STREAM_BYTES: usize = 16 * 1024 * 1024;
/// Most rows that the runtime puts into one call of the model.
pub const BATCH_ROWS: usize = 64;
/// Largest output that is written into a receipt, in bytes; of a larger one the digest is there.
pub const RECEIPT_OUTPUT_BYTES: usize = 64 * 1024;
/// Longest signed statement that is read, in bytes.
pub const STATEMENT_BYTES: usize = 1024 * 1024;
/// Longest signature over the files of a folder that is read, in bytes.
pub const FOLDER_SIGNATURE_BYTES: usize = 64 * 1024 * 1024;
/// Most bytes of a request or an answer that are read, digested or written where other requests wait; more goes to
/// other threads.
pub const AT_ONCE_BYTES: usize = 128 * 1024;
/// Most that a shared answer keeps of its input, and of its output, in bytes of JSON.
pub const SHARED_ANSWER_BYTES: usize = 1024 * 1024;
/// Most answers of one model that one person, or all holders of one link, can have shared at a time.
pub const SHARED_ANSWERS: i64 = 200;
/// Most revisions that answer for one endpoint.
pub const TARGETS: usize = 8;
/// Longest request, and longest answer, that is recorded of an endpoint, in bytes; the rest is cut off.
pub const RECORDED_BYTES: usize = 4096;
/// Longest record of a capsule (`capsule.json`) that a server reads, in bytes.
pub const RECORD_BYTES: usize = 8 * 1024 * 1024;
/// Most facts about a machine in one attestation.
pub const MACHINE_FACTS: usize = 32;
/// Longest fact about a machine in an attestation, in bytes.
pub const MACHINE_FACT_BYTES: usize = 512;
/// Most attestations of one person for one repository.
pub const ATTESTATIONS: i64 = 200;

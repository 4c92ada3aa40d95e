//! What the Hub says of a file.

use crate::{FetchError, client::Client};

/// What the Hub says of a file before it is fetched.
pub(super) struct Remote {
    pub etag: String,
    pub size: Option<u64>,
}

/// Asks for a file's headers. The `X-Linked` ones are of the contents, wherever the Hub keeps them.
pub(super) fn remote(client: &Client, url: &str) -> Result<Remote, FetchError> {
    let reply = client.head(url)?;
    let elsewhere = reply.response.status().is_redirection();
    let reply = if elsewhere { reply } else { reply.check()? };
    let own_length = || reply.number("content-length").filter(|_| !elsewhere);
    let size = reply.number("x-linked-size").or_else(own_length);
    let etag = reply.header("x-linked-etag").or_else(|| reply.header("etag")).unwrap_or_default();
    let etag = etag.trim_start_matches("W/").trim_matches('"');
    // It becomes the name of a file.
    if etag.is_empty() || !etag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        let problem = "it has no ETag, which the Hugging Face Hub sends with each file".to_owned();
        return Err(FetchError::Answer { url: url.to_owned(), problem });
    }
    Ok(Remote { etag: etag.to_owned(), size })
}

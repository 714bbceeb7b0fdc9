//! Why no voice message can be made of a file.

/// Why no voice message can be made of a file.
#[derive(Debug, thiserror::Error)]
pub enum PrepareFailure {
    /// The file is not there or cannot be read.
    #[error("the file cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// A folder, a pipe or the like.
    #[error("it is not a file")]
    NotAFile,
    /// More bytes than are read.
    #[error("the file has {bytes} bytes; at most {most} are read")]
    TooLarge {
        /// The file's size.
        bytes: u64,
        /// The most.
        most: u64,
    },
    /// Longer than what fits into one message.
    #[error("the recording is longer than {most_minutes} minutes")]
    TooLong {
        /// The longest, in minutes.
        most_minutes: u64,
    },
    /// No container or codec that is known.
    #[error(
        "this is no audio that can be read (MP3, AAC, FLAC, WAV, Ogg with Vorbis or Opus): {0}"
    )]
    Unsupported(String),
    /// A known format with something wrong in it.
    #[error("the audio is damaged: {0}")]
    Damaged(String),
    /// Not a single sample.
    #[error("there is no sound in the file")]
    Empty,
    /// The resampler does not take what was asked of it.
    #[error("the audio cannot be converted to 48 kHz: {0}")]
    Resample(String),
    /// libopus refused.
    #[error("the audio cannot be encoded: {0}")]
    Encode(String),
    /// A library gave up on the file in a way it should not have.
    #[error("the file made the audio reader fail")]
    Crashed,
}

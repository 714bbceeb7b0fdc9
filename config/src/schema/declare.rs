//! Declares settings: one line a key says its name, its type, its default and its bounds, and from
//! it come the field, the reading of it, `config explain` and `config schema`.

/// An enum of words: `pub Name { Variant = "word", … }`.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$what])* #[doc = concat!("`", $word, "`.")] $variant,)+
        }

        impl $name {
            /// As it is written in the file.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl crate::cursor::Word for $name {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),+];
        }
    };
}

/// An object of the file: `Name { field: Type = reader("key", default or bounds…), … }`. The reader
/// is a method of `Section`. Further keys are errors.
macro_rules! block {
    ($(#[$about:meta])* $name:ident {
        $($(#[$what:meta])* $field:ident : $kind:ty = $reader:ident($key:literal $(, $arg:expr)*)),+ $(,)?
    }) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $(#[doc = concat!("`", $key, "`.")] $(#[$what])* pub $field: $kind,)+
        }

        impl crate::cursor::Block for $name {
            fn read(section: &crate::cursor::Section<'_, '_>) -> Self {
                let read = Self { $($field: section.$reader($key $(, $arg)*),)+ };
                section.finish();
                read
            }
        }
    };
}

pub(crate) use {block, words};

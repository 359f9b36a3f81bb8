//! What TLS is served with: a certificate and its key from files that are watched. Files that are broken, do not
//! belong together or are not valid now leave the last good ones in force.

mod certificate;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use arc_swap::ArcSwap;
use clap::Args;
use daemon::Clock;
use schemas::Timestamp;
use tokio_rustls::TlsAcceptor;

use crate::metrics::{self, Source};
use crate::watched::{EVERY, Watched};
use certificate::{Certificate, Fault, Left};

/// How often it is said again that a certificate is about to end, or has ended.
const SAID_EVERY_MS: i64 = 86_400_000;

/// Where the certificate is.
#[derive(Args, Clone, Debug, Default)]
pub struct TlsFlags {
    /// Serves HTTPS, and nothing else, with this certificate: PEM, the server's own first, then what its issuer
    /// adds; read again when it changes
    #[arg(long, value_name = "FILE")]
    pub tls_certificate: Option<PathBuf>,
    /// The certificate's private key: PEM, as PKCS#8, PKCS#1 or SEC1; read again when it changes
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
}

/// The certificate in force. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tls {
    files: Arc<Files>,
    clock: Clock,
    in_force: Arc<ArcSwap<Certificate>>,
}

/// The two files.
#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl TlsFlags {
    /// Judges flags and files.
    ///
    /// # Errors
    /// A sentence that names the flag, and the file.
    pub fn check(&self) -> Result<(), String> {
        self.open(Clock::system()).map(drop).map_err(|error| format!("{error:#}"))
    }

    /// Reads the files for the first time; none where no TLS is asked for.
    ///
    /// # Errors
    /// When one flag stands alone, or the files can't be served: a gateway does not start with those.
    pub fn open(&self, clock: Clock) -> anyhow::Result<Option<Tls>> {
        let (certificate, key) = match (&self.tls_certificate, &self.tls_key) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
            (Some(_), None) => return Err(anyhow!("--tls-certificate needs --tls-key: the file of its private key")),
            (None, Some(_)) => return Err(anyhow!("--tls-key needs --tls-certificate: the file of its certificate")),
        };
        let files = Files { certificate, key };
        let certificate = files.judge(
            &read(&files.certificate, "--tls-certificate")?,
            &read(&files.key, "--tls-key")?,
            now(&clock),
        )?;
        let in_force = Arc::new(ArcSwap::from_pointee(certificate));
        Ok(Some(Tls { files: Arc::new(files), clock, in_force }))
    }
}

impl Tls {
    /// What a new connection is taken with; it keeps it to its end.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.in_force.load().config))
    }

    /// Takes up every change of the files, for ever; says when the certificate is about to end.
    pub async fn watch(self) {
        // Nothing has been seen as yet: the files may have changed between `open` and now.
        let mut files = Watched::new([self.files.certificate.clone(), self.files.key.clone()]);
        let mut told = None;
        let mut said_at = None;
        self.show(true);
        let mut turn = tokio::time::interval(EVERY);
        loop {
            turn.tick().await;
            self.say_what_is_left(&mut said_at);
            let Some(texts) = files.look() else { continue };
            let judged = match texts {
                Ok([chain, key]) => self.files.judge(&chain, &key, now(&self.clock)),
                Err(unread) => {
                    let path = unread.path.display().to_string();
                    Err(anyhow::Error::new(unread).context(path))
                }
            };
            let good = judged.is_ok();
            match judged {
                Ok(certificate) => {
                    let (file, ends_at) = (self.files.certificate.display(), certificate.ends_at);
                    tracing::info!(%file, %ends_at, "TLS certificate read");
                    self.in_force.store(Arc::new(certificate));
                    metrics::reloaded(Source::Tls, true);
                    (told, said_at) = (None, None);
                }
                Err(error) => {
                    let words = format!("{error:#}");
                    if told.as_ref() != Some(&words) {
                        metrics::reloaded(Source::Tls, false);
                        tracing::error!(
                            error = words,
                            "the TLS certificate or its key is broken; the last good ones stay in force"
                        );
                    }
                    // One that is not valid yet may be by then.
                    files.again();
                    told = Some(words);
                }
            }
            self.show(good);
        }
    }

    fn show(&self, good: bool) {
        metrics::tls_certificate(good, self.in_force.load().ends_at);
    }

    fn say_what_is_left(&self, said_at: &mut Option<i64>) {
        let now = now(&self.clock);
        if said_at.is_some_and(|said| now.ms() - said < SAID_EVERY_MS) {
            return;
        }
        let certificate = self.in_force.load();
        let (file, ends_at) = (self.files.certificate.display(), certificate.ends_at);
        match certificate.left(now) {
            Left::Enough => return,
            Left::Days(days) => tracing::warn!(%file, %ends_at, days, "the TLS certificate is about to end: renew it"),
            Left::Nothing => tracing::error!(%file, %ends_at, "the TLS certificate has ended: clients refuse it"),
        }
        *said_at = Some(now.ms());
    }
}

impl Files {
    fn judge(&self, chain: &str, key: &str, now: Timestamp) -> anyhow::Result<Certificate> {
        let (of_certificate, of_key) = (self.certificate.display(), self.key.display());
        Certificate::parse(chain, key, now).map_err(|fault| match fault {
            Fault::Certificate(words) => anyhow!("--tls-certificate {of_certificate}: {words}"),
            Fault::Key(words) => anyhow!("--tls-key {of_key}: {words}"),
            Fault::Pair => anyhow!(
                "--tls-key {of_key}: it is not the key of the first certificate in --tls-certificate {of_certificate}"
            ),
        })
    }
}

fn read(path: &Path, flag: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(path).context("can't read it").with_context(|| format!("{flag} {}", path.display()))
}

fn now(clock: &Clock) -> Timestamp {
    Timestamp::from_ms(clock.now_ms())
}

package statement

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// ErrNoBrowser says that there is no program that can print a page to PDF.
var ErrNoBrowser = errors.New("no Chromium on this machine (looked for chromium, chromium-browser, google-chrome, chrome): " +
	"install one, or open the HTML file in any browser and print it to PDF")

// pdfTime bounds a print.
const pdfTime = 2 * time.Minute

// PDF prints the page of HTML to PDF through headless Chromium, and returns its
// bytes. The error is ErrNoBrowser where there is none.
func PDF(ctx context.Context, d *Document, l Language) ([]byte, error) {
	browser, err := findBrowser(exec.LookPath)
	if err != nil {
		return nil, err
	}
	var html bytes.Buffer
	if err := HTML(&html, d, l); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "citygrid-statement-")
	if err != nil {
		return nil, fmt.Errorf("print the statement: %w", err)
	}
	pdf, err := printPage(ctx, browser, dir, html.Bytes())
	return pdf, errors.Join(err, os.RemoveAll(dir))
}

// CanPrint returns nil where PDF finds a browser, else ErrNoBrowser.
func CanPrint() error {
	_, err := findBrowser(exec.LookPath)
	return err
}

func findBrowser(look func(string) (string, error)) (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := look(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNoBrowser
}

func printPage(ctx context.Context, browser, dir string, html []byte) ([]byte, error) {
	in, out := filepath.Join(dir, "statement.html"), filepath.Join(dir, "statement.pdf")
	if err := os.WriteFile(in, html, 0o600); err != nil {
		return nil, fmt.Errorf("print the statement: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, pdfTime)
	defer cancel()
	args := []string{"--headless", "--disable-gpu", "--no-first-run", "--disable-extensions", "--no-pdf-header-footer",
		"--user-data-dir=" + filepath.Join(dir, "profile"), "--print-to-pdf=" + out, (&url.URL{Scheme: "file", Path: in}).String()}
	if os.Geteuid() == 0 {
		args = append([]string{"--no-sandbox"}, args...) // Chromium refuses to run as root with it; the page is ours and runs no script
	}
	cmd := exec.CommandContext(ctx, browser, args...)
	cmd.WaitDelay = 5 * time.Second
	said, err := cmd.CombinedOutput()
	pdf, readErr := os.ReadFile(out)
	if err != nil || readErr != nil || !bytes.HasPrefix(pdf, []byte("%PDF-")) {
		return nil, fmt.Errorf("print the statement with %s: %w; it said: %s", browser, errors.Join(err, readErr), lastLines(string(said)))
	}
	return pdf, nil
}

func lastLines(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " / ")
}

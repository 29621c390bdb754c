package media

import (
	"context"
	"io"
	"net/url"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// nowhere is a Store that keeps nothing, for tests of what comes before it.
type nowhere struct{}

func (nowhere) Put(context.Context, Digest, string, []byte) error { return nil }

func (nowhere) Get(context.Context, Digest) (io.ReadCloser, error) { return nil, ErrAbsent }

func makeBucket(t *testing.T, c S3Config) {
	t.Helper()
	u, err := url.Parse(c.URL)
	if err != nil {
		t.Fatal(err)
	}
	client, err := minio.New(u.Host, &minio.Options{Creds: credentials.NewStaticV4(c.Access, string(c.Secret.Reveal()), ""), Region: c.Region})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.MakeBucket(t.Context(), c.Bucket, minio.MakeBucketOptions{Region: c.Region}); err != nil {
		t.Fatal(err)
	}
}

package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"citygrid/internal/secret"
)

// S3Config names a bucket of an S3-compatible object store.
type S3Config struct {
	URL    string // http://host:port or https://host
	Bucket string // it must be there
	Region string // empty: the store is asked
	Access string
	Secret secret.Secret
}

// S3 is a Store in a bucket: an object has the key ab/cdef..., by its digest.
type S3 struct {
	client *minio.Client
	bucket string
}

// NewS3 uses a bucket, and asks nothing of it: one that is away when the hub starts
// keeps it from nothing but media. Ready tells whether it is there.
func NewS3(c S3Config) (*S3, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return nil, errors.New("media store: url: want http://host:port or https://host; the access key has its own place")
	}
	client, err := minio.New(u.Host, &minio.Options{
		Creds: credentials.NewStaticV4(c.Access, string(c.Secret.Reveal()), ""), Secure: u.Scheme == "https", Region: c.Region,
	})
	if err != nil {
		return nil, fmt.Errorf("media store %s: %w", u.Host, err)
	}
	return &S3{client, c.Bucket}, nil
}

// Ready returns nil when the bucket can be used.
func (s *S3) Ready(ctx context.Context) error {
	there, err := s.client.BucketExists(ctx, s.bucket)
	if err != nil {
		return fmt.Errorf("media store %s, bucket %s: %w; look whether the store can be reached and the keys are right", s.client.EndpointURL().Host, s.bucket, err)
	}
	if !there {
		return fmt.Errorf("media store %s: there is no bucket %s; make it first", s.client.EndpointURL().Host, s.bucket)
	}
	return nil
}

func key(d Digest) string { return string(d[:2]) + "/" + string(d[2:]) }

// Put implements Store.
func (s *S3) Put(ctx context.Context, d Digest, mediaType string, data []byte) error {
	if err := d.Validate(); err != nil {
		return err
	}
	if info, err := s.client.StatObject(ctx, s.bucket, key(d), minio.StatObjectOptions{}); err == nil && info.Size == int64(len(data)) {
		return nil
	}
	_, err := s.client.PutObject(ctx, s.bucket, key(d), bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{ContentType: mediaType})
	if err != nil {
		return fmt.Errorf("media store: %w", err)
	}
	return nil
}

// Get implements Store.
func (s *S3) Get(ctx context.Context, d Digest) (io.ReadCloser, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	o, err := s.client.GetObject(ctx, s.bucket, key(d), minio.GetObjectOptions{})
	if err != nil {
		return nil, fmt.Errorf("media store: %w", err)
	}
	if _, err := o.Stat(); err != nil {
		_ = o.Close() // the answer to Stat is the reason
		if minio.ToErrorResponse(err).Code == "NoSuchKey" {
			return nil, ErrAbsent
		}
		return nil, fmt.Errorf("media store: %w", err)
	}
	return o, nil
}

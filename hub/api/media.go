package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/schemas"
)

// The errors of CaseMedia that the API tells apart. Their texts are for the sender.
var (
	ErrMediaTooLarge = errors.New("larger than this city takes")
	ErrMediaType     = errors.New("not a kind of file that is taken")
	ErrMediaDamaged  = errors.New("damaged")
	ErrMediaAbsent   = errors.New("no such photo, film or sound")
)

// MediaObject is what was taken. SM3 is the digest of what is kept, Original that of
// what was sent.
type MediaObject struct {
	SM3, Original string
	Kind          cases.MediaKind
	Type          string // such as image/jpeg
	Size          int64
	TakenAt       time.Time        // by the camera's clock; zero where the file does not say
	Position      schemas.Position // as the camera wrote it
}

// CaseMedia keeps photos, films and sound.
type CaseMedia interface {
	// Take reads one to its end. An error wraps ErrMediaTooLarge, ErrMediaType or
	// ErrMediaDamaged where the fault is the sender's.
	Take(ctx context.Context, r io.Reader) (MediaObject, error)
	// Open returns what is kept, whole and checked, and its type; or an error that
	// wraps ErrMediaAbsent.
	Open(ctx context.Context, sm3 string) (data []byte, mediaType string, err error)
	// Most is the size of the largest that is taken, in bytes.
	Most() int64
}

// The codes of problems with media.
const (
	codeNoMedia     = "no_media_store"
	codeMedia       = "media_unknown"
	codeMediaLarge  = "media_too_large"
	codeMediaType   = "media_type_refused"
	codeMediaBroken = "media_damaged"
	codeMediaOther  = "media_other_digest"
)

// mediaTime is how long the upload of one may take: 50 MiB at 1.4 Mbit/s.
const mediaTime = 5 * time.Minute

// mediaMemory bounds the bytes of media that are on their way out: each is checked
// whole before its first byte is sent.
const mediaMemory = 256 << 20

// mediaPolicy lets a browser that is shown what somebody uploaded do nothing with it.
const mediaPolicy = "default-src 'none'; sandbox"

// MediaJSON is what was taken of an upload.
type MediaJSON struct {
	SM3      string        `json:"sm3" doc:"Digest of what is kept; acts name it"`
	Original string        `json:"original" doc:"Digest of what was sent; another one where something was taken out"`
	Kind     string        `json:"kind" enum:"image,video,audio"`
	Type     string        `json:"type" example:"image/jpeg"`
	Size     int64         `json:"size" doc:"Bytes of what is kept"`
	TakenAt  *time.Time    `json:"taken_at,omitempty" doc:"By the camera's clock"`
	Position *PositionJSON `json:"position,omitempty" doc:"Where the camera believed to be; taken out of what is kept"`
	Repeated bool          `json:"repeated" doc:"It had been taken before"`
}

func mediaJSON(m *desk.Media) MediaJSON {
	return MediaJSON{SM3: m.SM3, Original: m.Original, Kind: m.Kind, Type: m.Type, Size: m.Size, TakenAt: timeOrNil(m.TakenAt), Position: positionJSON(m.Position)}
}

type (
	mediaPath struct {
		SM3 string `path:"sm3" pattern:"^[0-9a-f]{64}$" doc:"SM3 digest, hexadecimal"`
	}
	mediaOutput struct {
		Status int
		Body   MediaJSON
	}
)

// requestKey is where the middleware of uploads leaves the request, for their bodies
// are streamed and Huma must not read them.
type requestKey struct{}

func keepRequest(ctx huma.Context, next func(huma.Context)) {
	next(huma.WithValue(ctx, requestKey{}, ctx))
}

func (c *caseRoutes) registerMedia(api huma.API) {
	body := func() *huma.RequestBody {
		return &huma.RequestBody{Required: true, Description: "The file as it is; what it is, is told from its bytes",
			Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}
	}
	caseOperation(c, api, huma.Operation{
		OperationID: "post-media", Method: http.MethodPost, Path: "/api/v1/media", DefaultStatus: http.StatusCreated,
		Summary: "Upload a photo, film or sound, to be named by an act", RequestBody: body(), Middlewares: append(bounded(api, c.uploads), keepRequest),
	}, workers(), c.postMedia)
	caseOperation(c, api, huma.Operation{
		OperationID: "put-media", Method: http.MethodPut, Path: "/api/v1/media/{sm3}", DefaultStatus: http.StatusCreated,
		Summary: "Upload what has this digest, which may be sent again", RequestBody: body(), Middlewares: append(bounded(api, c.uploads), keepRequest),
	}, workers(), c.putMedia)
	caseOperation(c, api, huma.Operation{
		OperationID: "get-media", Method: http.MethodGet, Path: "/api/v1/media/{sm3}", Summary: "A photo, film or sound",
		Responses: map[string]*huma.Response{"200": {Description: "The file", Content: map[string]*huma.MediaType{"*/*": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}},
	}, nil, c.getMedia)
}

func (c *caseRoutes) postMedia(ctx context.Context, _ *struct{}) (*mediaOutput, error) {
	return c.takeMedia(ctx, "")
}

func (c *caseRoutes) putMedia(ctx context.Context, in *mediaPath) (*mediaOutput, error) {
	held, err := c.o.Desk.MediaBy(ctx, in.SM3)
	if err == nil {
		return &mediaOutput{Status: http.StatusOK, Body: repeated(&held)}, nil
	}
	if !errors.Is(err, desk.ErrNoMedia) {
		return nil, c.problemOf(ctx, "read media", err)
	}
	return c.takeMedia(ctx, in.SM3)
}

func repeated(m *desk.Media) MediaJSON {
	j := mediaJSON(m)
	j.Repeated = true
	return j
}

// takeMedia takes the body of the request, which has the digest want unless that is
// empty.
func (c *caseRoutes) takeMedia(ctx context.Context, want string) (*mediaOutput, error) {
	if c.o.Media == nil {
		return nil, problem(http.StatusNotFound, codeNoMedia, "This hub keeps no media. Its configuration has no section grid.media.")
	}
	request, ok := ctx.Value(requestKey{}).(huma.Context)
	if !ok {
		return nil, c.problemOf(ctx, "take media", errors.New("the request has no body"))
	}
	_ = request.SetReadDeadline(time.Now().Add(mediaTime)) // the network's own clock; a test's recorder has none
	r, w := humago.Unwrap(request)
	o, err := c.o.Media.Take(ctx, http.MaxBytesReader(w, r.Body, c.o.Media.Most()+1))
	if err != nil {
		return nil, c.mediaProblem(ctx, err)
	}
	if want != "" && want != o.Original && want != o.SM3 {
		return nil, problem(http.StatusUnprocessableEntity, codeMediaOther, fmt.Sprintf("The body has the digest %s, not %s: it was damaged on its way, or is another file. Send it again.", o.Original, want))
	}
	m := desk.Media{SM3: o.SM3, Original: o.Original, Kind: string(o.Kind), Type: o.Type, Size: o.Size, TakenAt: o.TakenAt, Position: o.Position, By: string(casePersonOf(ctx).ID)}
	if held, err := c.o.Desk.MediaBy(ctx, o.SM3); err == nil {
		return &mediaOutput{Status: http.StatusOK, Body: repeated(&held)}, nil
	}
	if err := c.o.Desk.KeepMedia(ctx, m); err != nil {
		return nil, c.problemOf(ctx, "keep media", err)
	}
	return &mediaOutput{Status: http.StatusCreated, Body: mediaJSON(&m)}, nil
}

func (c *caseRoutes) mediaProblem(ctx context.Context, err error) *Problem {
	var long *http.MaxBytesError
	switch {
	case errors.Is(err, ErrMediaTooLarge), errors.As(err, &long):
		return problem(http.StatusRequestEntityTooLarge, codeMediaLarge, fmt.Sprintf("The file is larger than this city takes, which is %d bytes at most and less of photos and sound. Send a smaller one.", c.o.Media.Most()))
	case errors.Is(err, ErrMediaType):
		return problem(http.StatusUnsupportedMediaType, codeMediaType, err.Error())
	case errors.Is(err, ErrMediaDamaged), errors.Is(err, io.ErrUnexpectedEOF):
		return problem(http.StatusUnprocessableEntity, codeMediaBroken, err.Error())
	}
	return c.problemOf(ctx, "take media", err)
}

// getMedia answers with the bytes; a browser may keep them, for a digest has no other.
func (c *caseRoutes) getMedia(ctx context.Context, in *mediaPath) (*huma.StreamResponse, error) {
	if c.o.Media == nil {
		return nil, problem(http.StatusNotFound, codeNoMedia, "This hub keeps no media. Its configuration has no section grid.media.")
	}
	held, err := c.o.Desk.MediaBy(ctx, in.SM3)
	if err != nil {
		return nil, c.problemOf(ctx, "read media", err)
	}
	size := min(held.Size, mediaMemory)
	wait, cancel := context.WithTimeout(ctx, heavyWait)
	defer cancel()
	if c.sending.Acquire(wait, size) != nil {
		return nil, problem(http.StatusServiceUnavailable, codeCasesBusy, "Many photos and films are being sent. Try again in a minute.")
	}
	data, mediaType, err := c.o.Media.Open(ctx, held.SM3)
	if err != nil {
		c.sending.Release(size)
		return nil, c.problemOf(ctx, "read media "+held.SM3, err)
	}
	return &huma.StreamResponse{Body: func(request huma.Context) {
		defer c.sending.Release(size)
		r, w := humago.Unwrap(request)
		head := w.Header()
		head.Set("Content-Type", mediaType)
		head.Set("Content-Security-Policy", mediaPolicy)
		head.Set("Cache-Control", "private, max-age=31536000, immutable")
		head.Set("Vary", "Authorization")
		head.Set("ETag", fmt.Sprintf("%q", held.SM3))
		head.Set("Content-Disposition", fmt.Sprintf("inline; filename=%q", fileName(held.SM3, mediaType)))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	}}, nil
}

// fileName names a file by the beginning of its digest and what it is.
func fileName(sm3, mediaType string) string {
	_, kind, _ := strings.Cut(mediaType, "/")
	if !slices.Contains([]string{"jpeg", "png", "webp", "heic", "mp4", "webm", "ogg", "mpeg", "wav"}, kind) {
		return sm3[:12]
	}
	return sm3[:12] + "." + kind
}

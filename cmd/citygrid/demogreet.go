package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"citygrid/internal/city"
)

// demoLeakEvery is how often a meter leaks where people look at what comes of it.
const demoLeakEvery = time.Minute

// addPast gives the city a past unless nobody will look at it.
func (o *demoOptions) addPast(cmd *cobra.Command, options *city.Options) error {
	if o.headless && !cmd.Flags().Changed("past") {
		o.past = false
	}
	if !o.past {
		return nil
	}
	if err := o.before.Check(); err != nil {
		return err
	}
	options.Past = &o.before
	options.Grid.LeakEvery = demoLeakEvery
	if out := cmd.OutOrStdout(); !o.headless {
		fmt.Fprintln(out, "citygrid demo: preparing a city / 正在准备一座城市")
		o.before.Progress = func(part string, took time.Duration) {
			fmt.Fprintf(out, "  %-14s %5.1f s\n", part, took.Seconds())
		}
	}
	return nil
}

// greet says where everything is.
func greet(out io.Writer, o *demoOptions, c *city.City, dir string, took time.Duration) {
	fmt.Fprintf(out, "\ncitygrid demo: %d meters every %s, started in %.0f s\n", o.fleet.meters, o.interval, took.Seconds())
	greetPages(out, c)
	greetSamples(out, c)
	greetWork(out, o, c)
	fmt.Fprintf(out, "\n  files  文件    %s\n", dir)
	if leaky := c.Leaky(); len(c.People()) > 0 && len(leaky) > 0 {
		fmt.Fprintf(out, "  break  弄坏    curl -d meter=%s -d flow=4.5 %s/break, and /mend\n", leaky[0], c.ControlURL())
	}
	if len(c.People()) > 0 {
		fmt.Fprintf(out, "  API    接口    curl -H 'Authorization: Bearer TOKEN' %s/api/v1/cases (tokens: people.json in the files)\n", c.HubURL())
	}
	fmt.Fprintf(out, "  stop   停止    Ctrl-C\n")
}

// greetPages prints the addresses of the pages.
func greetPages(out io.Writer, c *city.City) {
	pages := [][2]string{{"/", "city 市政大屏"}, {"/meters", "meters and lines 表计与线路"}}
	if len(c.People()) > 0 {
		pages = append(pages, [2]string{"/cases", "cases 案件"}, [2]string{"/inspect", "the inspector's phone 巡查手机"})
	}
	if c.Books() != nil {
		pages = append(pages, [2]string{"/desk", "reconciliation desk 对账台"}, [2]string{"/admin", "people and register 管理"})
	}
	fmt.Fprintln(out, "\npages / 页面")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, p := range pages {
		fmt.Fprintf(table, "  %s%s\t%s\n", c.HubURL(), p[0], p[1])
	}
	_ = table.Flush()
}

// post is what a sample user is for: their page, and what they are called.
type post struct{ page, en, zh string }

func posts() map[string]post {
	return map[string]post{
		"admin":        {"/admin", "administrator", "管理员"},
		"acceptor":     {"/cases", "acceptor: takes reports in, sends inspectors", "受理员"},
		"shift_leader": {"/cases", "shift leader: files and closes", "值班长"},
		"dispatcher":   {"/cases", "dispatcher: gives cases to departments", "派遣员"},
		"department":   {"/cases", "department of the leaks: repairs", "专业部门"},
		"inspector":    {"/inspect", "inspector: verifies and checks on the phone", "监督员"},
		"clerk":        {"/desk", "clerk: imports, reconciles, explains", "对账员"},
		"reviewer":     {"/desk", "reviewer: adjusts", "复核员"},
		"approver":     {"/desk", "approver: closes", "审批员"},
		"viewer":       {"/", "viewer: sums only", "访客"},
	}
}

// greetSamples prints who can sign in, and the passphrase.
func greetSamples(out io.Writer, c *city.City) {
	samples := c.Samples()
	if len(samples) == 0 {
		return
	}
	fmt.Fprintf(out, "\nsample users, all with the passphrase / 样例用户，口令均为\n\n      %s\n\n", c.Passphrase().Reveal())
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, p := range samples {
		at := posts()[p.Roles[0]]
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", p.ID, at.page, at.en, strings.TrimSpace(at.zh+" "+p.Name))
	}
	_ = table.Flush()
	fmt.Fprintln(out, "\n  Anybody may look around without signing in. 不登录也可以浏览，但不能修改。")
}

// greetWork says what waits for the user.
func greetWork(out io.Writer, o *demoOptions, c *city.City) {
	yesterday, wrong := c.Settlement()
	if yesterday == "" {
		return
	}
	fmt.Fprintln(out, "\nwhat waits for you / 待办")
	if own, ok := c.Truth(c.OwnLeak()); ok && !o.noPlay {
		fmt.Fprintf(out, "  leak   漏水    meter %s in cell %s, %s: dispatch it, check it on the phone page; others are dealt with by themselves\n",
			own.Meter, own.Cell, own.Location)
	}
	e := c.Books()
	fmt.Fprintf(out, "  desk   对账    drag yesterday's files (%s) onto the desk page and run the day:\n                 %s\n  wrong  错误    files with mistakes, refused by line:\n                 %s\n", e.Day(), yesterday, wrong)
	tasks := slices.DeleteFunc(c.Samples(), func(p city.Person) bool { return !slices.Contains(p.Roles, "inspector") })
	for _, p := range tasks {
		fmt.Fprintf(out, "  phone  巡查    %s has things to verify and to check\n", p.ID)
	}
}

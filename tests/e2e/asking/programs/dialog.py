# A box with two buttons on the whole screen, as dialog and whiptail draw it.
import curses


def main(screen):
    screen.addstr(5, 10, "Restart services?")
    screen.addstr(7, 10, "<Yes>    <No>")
    screen.getch()


curses.wrapper(main)
